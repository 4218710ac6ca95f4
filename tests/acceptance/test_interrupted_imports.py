"""Imports that are interrupted: by Ctrl-C, by SIGKILL, by a Redis that loses its data, and by `imports cancel`."""

import asyncio
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from tests.acceptance.conftest import Site
from tests.acceptance.interrupted import (
    CHUNKS,
    FATES,
    HELD_FROM,
    IN_FLIGHT,
    ROWS,
    SETTINGS,
    Interrupted,
)
from tests.security.scanner import CANARY
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.queue.batches import BatchProgress

ResumedBy = Literal["resume", "the same command"]
BOTH_WAYS = pytest.mark.parametrize("resumed_by", ["resume", "the same command"])
MERGED = {"merged": FATES["created"], "same": FATES["same"], "rejected": FATES["rejected"]}
CANCELLED_WITHIN_S = 2


@pytest_asyncio.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    async with EmbeddedRedis(password=CANARY, data_dir=tmp_path / "redis", appendfsync="always") as server:
        yield server


@pytest_asyncio.fixture
async def interrupted(
    redis_server: EmbeddedRedis, mongo: EmbeddedMongo, tmp_path: Path
) -> AsyncIterator[Interrupted]:
    site = Site(redis_server, mongo, tmp_path)
    interrupted = Interrupted(site, mongo)
    yield interrupted
    await interrupted.close()
    await site.close()


def _resuming(interrupted: Interrupted, import_id: str, by: ResumedBy, *options: str) -> tuple[str, ...]:
    if by == "resume":
        return "producers", "imports", "resume", import_id, "--json"
    return interrupted.ingest(*options)


@BOTH_WAYS
async def test_an_import_goes_on_after_ctrl_c(interrupted: Interrupted, resumed_by: ResumedBy) -> None:
    await interrupted.site.worker(SETTINGS)
    importing = await interrupted.start(interrupted.ingest())
    import_id = await interrupted.half_way()
    interrupted.type_ctrl_c()
    stopped = await interrupted.finish(importing)
    assert (stopped.code, json.loads(stopped.out)["state"]) == (130, "running")
    assert f"interrupted; continue with: hospital-producer imports resume {import_id}\n" in stopped.err
    assert "Traceback" not in stopped.err
    interrupted.release()
    resumed = await interrupted.site.run(*_resuming(interrupted, import_id, resumed_by))
    summary = await interrupted.check(resumed)
    assert (summary["import"], summary["resumed"]) == (import_id, True)
    # The chunks that were enqueued before are not enqueued again.
    assert interrupted.runs() == dict.fromkeys(range(CHUNKS), 1)


@BOTH_WAYS
async def test_an_import_goes_on_after_its_producer_was_killed(
    interrupted: Interrupted, resumed_by: ResumedBy
) -> None:
    await interrupted.site.worker(SETTINGS)
    importing = await interrupted.start(interrupted.ingest())
    import_id = await interrupted.half_way()
    importing.kill()
    assert (await interrupted.finish(importing)).code == -signal.SIGKILL
    interrupted.release()
    resumed = await interrupted.site.run(*_resuming(interrupted, import_id, resumed_by))
    summary = await interrupted.check(resumed)
    assert (summary["import"], summary["resumed"]) == (import_id, True)
    assert interrupted.runs() == dict.fromkeys(range(CHUNKS), 1)
    acts = [(act, target, ids) for _, act, target, ids, _ in await _acts(interrupted)]
    assert acts == ([("resume", "import", [import_id])] if resumed_by == "resume" else [])
    await _check_the_report_of_another_process(interrupted, import_id, Path(summary["report"]).parent)


async def _check_the_report_of_another_process(interrupted: Interrupted, import_id: str, written: Path) -> None:
    again = interrupted.site.folder / "again"
    reported = await interrupted.site.run(
        *("producers", "imports", "report", import_id, "--report", str(again), "--json")
    )
    assert reported.code == 0, reported.err
    for name in ("report.ndjson", "rejects.csv"):
        assert (again / import_id / name).read_bytes() == (written / name).read_bytes()
    entries = [json.loads(line) for line in (again / import_id / "report.ndjson").read_text().splitlines()]
    assert [entry["status"] for entry in entries] == ["rejected"] * FATES["rejected"]


async def test_an_import_goes_on_by_itself_after_redis_has_lost_all_data(
    interrupted: Interrupted, redis_server: EmbeddedRedis
) -> None:
    await interrupted.site.worker(SETTINGS)
    importing = await interrupted.start(interrupted.ingest())
    await interrupted.half_way()
    await _restart_with(redis_server, interrupted.site.folder, None)
    # It enqueues all chunks again, as far as it comes.
    await interrupted.half_way()
    interrupted.release()
    summary = await interrupted.check(await interrupted.finish(importing))
    assert summary["resumed"] is False


@BOTH_WAYS
async def test_a_merge_is_applied_once_although_redis_has_lost_all_data(
    interrupted: Interrupted, redis_server: EmbeddedRedis, resumed_by: ResumedBy
) -> None:
    await interrupted.site.worker(SETTINGS)
    interrupted.release()
    await interrupted.check(await interrupted.site.run(*interrupted.ingest()))
    interrupted.write(phone="555-0199")
    interrupted.hold(HELD_FROM)
    merging = ("--on-existing", "merge")
    importing = await interrupted.start(interrupted.ingest(*merging))
    import_id = await interrupted.half_way()
    importing.kill()
    assert (await interrupted.finish(importing)).code == -signal.SIGKILL
    await _restart_with(redis_server, interrupted.site.folder, None)
    interrupted.release()
    resumed = await interrupted.site.run(*_resuming(interrupted, import_id, resumed_by, *merging))
    summary = await interrupted.check(resumed, MERGED, revision=2)
    assert (summary["import"], summary["resumed"]) == (import_id, True)


async def test_an_import_goes_on_by_itself_after_redis_has_lost_the_latest_chunks(
    interrupted: Interrupted, redis_server: EmbeddedRedis
) -> None:
    await interrupted.site.worker(SETTINGS)
    importing = await interrupted.start(interrupted.ingest())
    await interrupted.half_way()
    await redis_server.kill()
    earlier = interrupted.site.folder / "earlier"
    shutil.copytree(_data(interrupted.site.folder), earlier)
    await redis_server.start()
    interrupted.hold(2 * HELD_FROM)
    await interrupted.half_way(2 * HELD_FROM)
    await _restart_with(redis_server, interrupted.site.folder, earlier)
    interrupted.release()
    summary = await interrupted.check(await interrupted.finish(importing))
    assert summary["resumed"] is False


def _data(folder: Path) -> Path:
    return folder / "redis" / "redis" / "appendonlydir"


async def _restart_with(redis_server: EmbeddedRedis, folder: Path, earlier: Path | None) -> None:
    """Kill Redis, and start it with the data that it had earlier, or without any."""
    await redis_server.kill()
    shutil.rmtree(_data(folder))
    if earlier is not None:
        shutil.copytree(earlier, _data(folder))
    await redis_server.start()


async def test_a_cancelled_import_drops_and_counts_what_waits(interrupted: Interrupted) -> None:
    running = 2
    await interrupted.site.worker(SETTINGS, WORKER_QUEUES=f"arq:queue,arq:queue:bulk={running}")
    importing = await interrupted.start(interrupted.ingest())
    import_id = await interrupted.half_way()
    by = ("--actor", "ann@vm", "--reason", "the wrong list")
    cancel = ("producers", "imports", "cancel", import_id, "--json", *by)
    cancelling = asyncio.create_task(interrupted.site.run(*cancel))

    async def is_cancelled() -> bool:
        return (await interrupted.batches.progress(import_id)).state == "cancelling"

    async def is_dropped() -> BatchProgress | None:
        found = await interrupted.batches.progress(import_id)
        return found if found.total - found.ended == running else None

    await interrupted.site.until(is_cancelled)
    began = time.monotonic()
    progress: BatchProgress = await interrupted.site.until(is_dropped)
    assert time.monotonic() - began < CANCELLED_WITHIN_S
    assert (progress.complete, progress.dropped) == (HELD_FROM, IN_FLIGHT - running)
    said = await cancelling
    assert said.code == 0, said.err
    assert json.loads(said.out) == {
        "state": "cancelling",
        "total": HELD_FROM + IN_FLIGHT,
        "complete": HELD_FROM,
        "dead": 0,
        "dropped": IN_FLIGHT - running,
        "waiting": running,
    }
    interrupted.release()
    ended = await interrupted.finish(importing)
    assert ended.code == 1, ended.err
    summary = json.loads(ended.out)
    chunks = HELD_FROM + running
    assert (summary["state"], len(summary["failed_jobs"])) == ("cancelled", IN_FLIGHT - running)
    assert summary["unaccounted"] == ROWS - chunks * ROWS // CHUNKS
    assert [summary[fate] for fate in FATES] == [count * chunks // CHUNKS for count in FATES.values()]
    (found,) = await interrupted.database["imports"].find({}).to_list(None)
    assert (found["state"], found["counts"]["created"]) == ("cancelled", summary["created"])
    assert await interrupted.database["hospitals"].count_documents({}) == summary["created"]
    assert await _acts(interrupted) == [("ann@vm", "cancel", "import", [import_id], "the wrong list")]


async def _acts(interrupted: Interrupted) -> list[tuple[object, ...]]:
    listed = json.loads((await interrupted.site.command("actions", "list", "--json")).out)["actions"]
    return [tuple(action[name] for name in ("actor", "act", "target", "ids", "reason")) for action in listed]
