"""`Job.abort` with `allow_abort_jobs`."""

import asyncio
from typing import Any

import pytest
from arq.jobs import JobStatus
from arq.worker import func

from tests.arq_compat.conftest import Bench

_POLL = 0.02


class Waiting:
    """A job that runs until it is cancelled, and counts its runs and cancellations."""

    def __init__(self) -> None:
        self.runs = 0
        self.cancelled = 0

    def function(self) -> Any:
        async def job(ctx: dict[str, Any]) -> None:
            self.runs += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

        return func(job, name="job")


async def test_a_running_job_is_cancelled(bench: Bench) -> None:
    waiting = Waiting()
    job = await bench.enqueue("job")
    async with bench.serving(waiting.function(), allow_abort_jobs=True) as worker:
        await bench.until(lambda: waiting.runs)
        assert await job.abort(timeout=5, poll_delay=_POLL)
        assert (waiting.runs, waiting.cancelled) == (1, 1)
        assert await job.status() is JobStatus.complete
        assert not (await bench.wait_for_result(job)).success
        await bench.until(lambda: worker.jobs_failed == 1)
        assert worker.jobs_retried == 0
    with pytest.raises(asyncio.CancelledError):
        await job.result(timeout=5)


@pytest.mark.parametrize("defer_by", [None, 60], ids=["queued", "deferred"])
async def test_a_job_aborted_before_it_starts_never_runs(bench: Bench, defer_by: float | None) -> None:
    waiting = Waiting()
    job = await bench.enqueue("job", _defer_by=defer_by)
    abort = asyncio.create_task(job.abort(timeout=5, poll_delay=_POLL))
    await bench.until(lambda: bench.redis.zscore("arq:abort", job.job_id))
    async with bench.serving(waiting.function(), allow_abort_jobs=True):
        assert await abort
        assert waiting.runs == 0
        assert await bench.redis.zscore(bench.queue, job.job_id) is None
        assert await bench.redis.zscore("arq:abort", job.job_id) is None


async def test_a_deferred_job_is_aborted_by_a_running_worker(bench: Bench) -> None:
    waiting = Waiting()
    job = await bench.enqueue("job", _defer_by=60)
    async with bench.serving(waiting.function(), allow_abort_jobs=True):
        # The request reaches the running worker before or after its claim; both abort the job.
        assert await job.abort(timeout=5, poll_delay=_POLL)
        assert waiting.runs == waiting.cancelled


async def test_a_completed_job_cannot_be_aborted(bench: Bench) -> None:
    async def job(ctx: dict[str, Any]) -> str:
        return "done"

    completed = await bench.enqueue("job")
    await bench.burst(func(job, name="job"), allow_abort_jobs=True)
    assert not await completed.abort(timeout=5, poll_delay=_POLL)
    assert await completed.result(timeout=5) == "done"


async def test_an_unknown_job_cannot_be_aborted(bench: Bench) -> None:
    job = await bench.enqueue("job")
    await bench.redis.zrem(bench.queue, job.job_id)
    assert not await job.abort(timeout=5, poll_delay=_POLL)


async def test_waiting_for_an_abort_can_time_out(bench: Bench) -> None:
    job = await bench.enqueue("job")
    with pytest.raises(asyncio.TimeoutError):
        await job.abort(timeout=0.02, poll_delay=_POLL)


async def test_abort_requests_are_ignored_without_allow_abort_jobs(bench: Bench) -> None:
    async def job(ctx: dict[str, Any]) -> str:
        return "done"

    waiting = await bench.enqueue("job")
    with pytest.raises(asyncio.TimeoutError):
        await waiting.abort(timeout=0.02, poll_delay=_POLL)
    await bench.burst(func(job, name="job"))
    assert await waiting.result(timeout=5) == "done"
