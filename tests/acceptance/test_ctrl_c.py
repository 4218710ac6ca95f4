"""Ctrl-C on the terminal of `hospital-producer`, at whatever instant it strikes."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from tests.acceptance.conftest import Finished, Site
from tests.acceptance.interrupted import IN_FLIGHT, SETTINGS, Interrupted
from worker.contract import MAX_CHUNK_RECORDS
from worker.embedded import EmbeddedMongo
from worker.queue import keys

CHUNKS = 40
ROWS = CHUNKS * MAX_CHUNK_RECORDS


@pytest_asyncio.fixture
async def interrupted(site: Site, mongo: EmbeddedMongo) -> AsyncIterator[Interrupted]:
    interrupted = Interrupted(site, mongo)
    interrupted.release()
    lines = (f"Hospital {number},{number},Town,2025-06-30,{number % 90}.5,11.25\n" for number in range(ROWS))
    interrupted.file.write_text("hospital_name,external_id,city,observed_at,lat,lon\n" + "".join(lines))
    yield interrupted
    await interrupted.close()


async def _stopped(interrupted: Interrupted, process: asyncio.subprocess.Process, presses: int = 1) -> Finished:
    for _ in range(presses):
        interrupted.type_ctrl_c()
    return await _finished(interrupted, process)


async def _finished(interrupted: Interrupted, process: asyncio.subprocess.Process) -> Finished:
    stopped = await interrupted.finish(process)
    # One line, whatever was under way.
    assert (stopped.code, stopped.err.count("\n")) == (130, 1), stopped.err
    assert "Traceback" not in stopped.err
    return stopped


async def _reads(process: asyncio.subprocess.Process, path: Path) -> bool:
    """Whether a process has a file open."""
    assert process.returncode is None
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        # It may close the file meanwhile.
        with suppress(FileNotFoundError):
            if link.readlink() == path:
                return True
    return False


async def _import_with(interrupted: Interrupted, chunks: int) -> str:
    """Wait until that many chunks were enqueued; return the import's id."""

    async def found() -> str | None:
        running = await interrupted.database["imports"].find_one({})
        progress = None if running is None else await interrupted.progress(running["_id"])
        return str(running["_id"]) if running and progress and progress.total >= chunks else None

    return str(await interrupted.site.until(found, 60))


async def test_while_the_program_starts_it_says_so(interrupted: Interrupted) -> None:
    process = await interrupted.start(interrupted.ingest())
    await interrupted.site.until(lambda: "pydantic_core" in Path(f"/proc/{process.pid}/maps").read_text(), 60)
    interrupted.type_ctrl_c()
    stopped = await interrupted.finish(process)
    # By the time that Ctrl-C arrives it may have opened the file.
    before_rows = f"hospital-producer: {interrupted.file}: interrupted before anything was sent\n"
    assert stopped.err in ("hospital-producer: interrupted\n", before_rows)
    # In code that was made by `exec`, as that of dataclasses, it lets Python end by the signal afterwards;
    # a shell shows 130 for both.
    assert stopped.code in (130, -signal.SIGINT)


@pytest.mark.parametrize(
    "command", ["ingest", "ingest --dry-run", "inspect", "register --actor a --reason b --file"]
)
async def test_while_the_file_is_read_first_nothing_was_sent(interrupted: Interrupted, command: str) -> None:
    process = await interrupted.start(("producers", *command.split(), str(interrupted.file)))

    async def is_frozen_while_it_reads() -> bool:
        if not await _reads(process, interrupted.file):
            return False
        process.send_signal(signal.SIGSTOP)
        if await _reads(process, interrupted.file):
            return True
        process.send_signal(signal.SIGCONT)
        return False

    await interrupted.site.until(is_frozen_while_it_reads, 60)
    interrupted.type_ctrl_c()
    process.send_signal(signal.SIGCONT)
    stopped = await _finished(interrupted, process)
    assert stopped.err == f"hospital-producer: {interrupted.file}: interrupted before anything was sent\n"
    assert stopped.out == ""
    assert not await interrupted.site.redis.exists("arq:queue", keys.BATCHES)


async def test_an_import_that_no_worker_has_begun_is_not_begun_later(interrupted: Interrupted) -> None:
    site = interrupted.site
    waited = await site.run(*interrupted.ingest("--wait", "0.1"))
    assert (waited.code, waited.out) == (2, "")
    assert waited.err == "hospital-producer: no worker has answered within 0.1 s; start a worker\n"
    # What it asked before the import waits in the queue, and changes nothing.
    asked = await site.redis.zcard("arq:queue")
    process = await interrupted.start(interrupted.ingest())
    await site.until(lambda: _queues_more_than(site, asked), 60)
    stopped = await _stopped(interrupted, process)
    assert stopped.err == "hospital-producer: interrupted before any row was sent\n"
    await site.worker()
    await site.until(lambda: _queued(site, 0))
    listed = await site.run("producers", "imports", "list", "--json")
    assert json.loads(listed.out) == {"imports": []}


async def _queues_more_than(site: Site, jobs: int) -> bool:
    return int(await site.redis.zcard("arq:queue")) > jobs


async def _queued(site: Site, jobs: int) -> bool:
    return int(await site.redis.zcard("arq:queue")) == jobs and await site.leases() == 0


async def test_while_it_waits_for_the_end_an_import_stops(interrupted: Interrupted) -> None:
    interrupted.hold(CHUNKS - 1)
    await interrupted.site.worker(SETTINGS)
    process = await interrupted.start(interrupted.ingest())
    import_id = await _import_with(interrupted, CHUNKS)
    await _until_sealed(interrupted, import_id)
    stopped = await _stopped(interrupted, process)
    assert stopped.err.endswith(f"interrupted; continue with: hospital-producer imports resume {import_id}\n")
    # To continue, it reads what it has sent without sending it; then, too, the first Ctrl-C counts.
    process = await interrupted.start(("producers", "imports", "resume", import_id, "--json"))
    await interrupted.site.until(lambda: _reads(process, interrupted.file), 60)
    assert "interrupted" in (await _stopped(interrupted, process)).err


async def _until_sealed(interrupted: Interrupted, import_id: str) -> None:
    async def is_sealed() -> bool:
        progress = await interrupted.progress(import_id)
        return progress is not None and progress.state == "sealed"

    await interrupted.site.until(is_sealed, 60)


@pytest.mark.parametrize("presses", [1, 3])
@pytest.mark.parametrize("chunks", [1, 2, 4, 7, 11, 16])
async def test_while_rows_are_sent_the_import_stops_and_goes_on_later(
    interrupted: Interrupted, chunks: int, presses: int
) -> None:
    # However late Ctrl-C arrives, there are rows that were not sent.
    interrupted.hold(CHUNKS - IN_FLIGHT - 1)
    await interrupted.site.worker(SETTINGS)
    process = await interrupted.start(interrupted.ingest())
    import_id = await _import_with(interrupted, chunks)
    stopped = await _stopped(interrupted, process, presses)
    assert stopped.err == (
        f"hospital-producer: interrupted; continue with: hospital-producer imports resume {import_id}\n"
    )
    summary = json.loads(stopped.out)
    assert (summary["import"], summary["state"]) == (import_id, "running")
    progress = await interrupted.progress(import_id)
    assert progress is not None
    assert (progress.state, progress.total < CHUNKS) == ("open", True)
