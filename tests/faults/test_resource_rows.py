"""Workers that the operating system gives nothing more, or whose log nobody takes."""

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import open_gate, put_faulty, wait_for_runs
from tests.faults.stand import Stand

SHOUTING = "tests.faults.settings.shouting.WorkerSettings"

# Less than the stacks of the threads that the jobs need.
ROOM_BYTES = 40 * 1024 * 1024
JOBS = 150
TIMEOUT_S, MARGIN_S = 3, 10  # how long a job may hold the event loop
ENDED_WITHIN_S = 20  # two looks, and the last act, which waits for the log


def _address_space(worker: WorkerRun) -> int:
    """Return how many bytes of addresses the process has."""
    lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmSize:"))


async def test_row_57_a_worker_that_can_start_no_more_threads(stand: Stand) -> None:
    worker = await stand.worker()
    _, most = resource.prlimit(worker.pid, resource.RLIMIT_AS)
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (_address_space(worker) + ROOM_BYTES, most))
    stand.row.faults += 1
    load = stand.load()
    await asyncio.gather(load.put_many("ingest", JOBS), load.put_many("register", JOBS))
    await stand.until(lambda: "action=job_retried" in worker.log)
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (most, most))
    account = await stand.balance()
    assert (account.applied, account.dead) == (2 * JOBS, 0)
    assert worker.process.returncode is None
    await stand.until(lambda: stand.is_ready(worker))


@asynccontextmanager
async def _with_unread_log(stand: Stand) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker whose log is a pipe that nobody reads."""
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arq", SHOUTING), env=stand._environment({}), stdout=writing, stderr=writing
    )
    os.close(writing)
    try:
        yield process
    finally:
        os.close(reading)
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.long
async def test_row_58_a_log_that_nobody_reads(open_stand: OpenStand) -> None:
    """The event loop waits for the log for ever; the process ends all the same, as with any loop that is stuck."""
    async with open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1", WORKER_JOB_TIMEOUT=str(TIMEOUT_S)) as stand:
        await put_faulty(stand, "held", count=5)
        async with _with_unread_log(stand) as process:
            await wait_for_runs(stand, 5)
            await put_faulty(stand, "shouting")
            stand.row.faults += 1
            assert await asyncio.wait_for(process.wait(), TIMEOUT_S + MARGIN_S + ENDED_WITHIN_S) == 1
        await open_gate(stand)
        await stand.worker(SHOUTING)
        account = await stand.balance()
        assert (account.applied, account.dead) == (6, 0)
