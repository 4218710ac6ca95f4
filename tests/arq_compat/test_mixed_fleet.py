"""arq's own workers and this project's on the same queue."""

import asyncio
import time
from typing import Any

import pytest
from arq.worker import Worker, func

from tests.arq_compat.conftest import Bench
from worker.engine.worker import LeaseWorker

# arq's worker leaves its connection open if it is cancelled during a command.
pytestmark = pytest.mark.filterwarnings("ignore:(?i)unclosed:ResourceWarning")

_JOBS = 5_000
_AT_ONCE = 100


@pytest.fixture
def worker_class() -> type[Worker]:
    return LeaseWorker


async def test_each_of_5000_jobs_runs_once(bench: Bench) -> None:
    runs, jobs_by_fleet = bench.queue + "-runs", {"stock": 0, "leases": 0}

    def function(fleet: str) -> Any:
        async def job(ctx: dict[str, Any]) -> str:
            await ctx["redis"].hincrby(runs, ctx["job_id"], 1)
            jobs_by_fleet[fleet] += 1
            return fleet

        return func(job, name="job")

    jobs = []
    for _ in range(_JOBS // _AT_ONCE):
        jobs += await asyncio.gather(*(bench.enqueue("job") for _ in range(_AT_ONCE)))
    started = time.monotonic()
    async with bench.serving(function("stock"), worker_class=Worker, max_jobs=20):
        # Otherwise, on a busy machine, the faster worker could finish all jobs before the other one starts.
        await bench.until(lambda: jobs_by_fleet["stock"])
        async with bench.serving(function("leases"), max_jobs=20):
            await bench.until(lambda: _is_empty(bench), seconds=60)
    took_s = time.monotonic() - started
    counts = await bench.redis.hgetall(runs)
    assert sorted(key.decode() for key in counts) == sorted(job.job_id for job in jobs)
    assert set(counts.values()) == {b"1"}
    assert sum(jobs_by_fleet.values()) == _JOBS
    assert min(jobs_by_fleet.values()) > 0
    assert took_s < 20
    assert {(await job.result_info()).result for job in jobs[::100]} <= set(jobs_by_fleet)  # type: ignore[union-attr]


async def _is_empty(bench: Bench) -> bool:
    return not await bench.redis.zcard(bench.queue)
