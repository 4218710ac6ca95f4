"""Workers that the operating system gives nothing more."""

import asyncio
import resource
from pathlib import Path

from tests.acceptance.conftest import WorkerRun
from tests.faults.stand import Stand

# Less than the stacks of the threads that the jobs need.
ROOM_BYTES = 40 * 1024 * 1024
JOBS = 150


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
    assert await stand.is_ready(worker)
