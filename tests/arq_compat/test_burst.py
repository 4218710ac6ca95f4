"""Burst mode, `max_burst_jobs`, `run_check` and `all_job_results`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from arq.jobs import JobStatus
from arq.worker import FailedJobs, Retry, Worker, func

from tests.arq_compat.conftest import Bench


async def fine(ctx: dict[str, Any], number: int = 0) -> int:
    return number


async def wrong(ctx: dict[str, Any]) -> None:
    raise ValueError("wrong")


async def always_retry(ctx: dict[str, Any]) -> None:
    raise Retry


@asynccontextmanager
async def bursting(bench: Bench, *functions: Any, **options: Any) -> AsyncIterator[Worker]:
    worker = bench.worker(*functions, burst=True, **options)
    try:
        yield worker
    finally:
        await bench.close(worker)


async def test_a_burst_on_an_empty_queue_ends(bench: Bench) -> None:
    worker = await bench.burst(fine)
    assert (worker.jobs_complete, worker.jobs_failed) == (0, 0)


async def test_a_burst_ends_after_its_last_job(bench: Bench) -> None:
    async def slow(ctx: dict[str, Any]) -> str:
        for _ in range(10):
            await asyncio.sleep(0.01)
        return "slow"

    jobs = [await bench.enqueue("slow") for _ in range(25)]
    await bench.burst(func(slow, name="slow"))
    assert {await job.status() for job in jobs} == {JobStatus.complete}


async def test_a_burst_waits_for_deferred_jobs(bench: Bench) -> None:
    job = await bench.enqueue("fine", 7, _defer_by=0.2)
    await bench.burst(fine)
    assert await job.result(timeout=5) == 7


@pytest.mark.parametrize("limit", [0, 2])
async def test_a_burst_runs_no_more_than_max_burst_jobs(bench: Bench, limit: int) -> None:
    for _ in range(5):
        await bench.enqueue("fine")
    worker = await bench.burst(fine, max_burst_jobs=limit)
    assert worker.jobs_complete == limit
    assert len(await bench.redis.queued_jobs()) == 5 - limit


async def test_a_negative_max_burst_jobs_means_no_limit(bench: Bench) -> None:
    for _ in range(5):
        await bench.enqueue("fine")
    assert (await bench.burst(fine, max_burst_jobs=-1)).jobs_complete == 5


async def test_retries_count_as_burst_jobs(bench: Bench) -> None:
    await bench.enqueue("always_retry")
    worker = await bench.burst(always_retry, max_burst_jobs=3)
    # Until its next poll, arq counts a job twice if the job has just ended.
    assert 2 <= worker.jobs_retried <= 3
    assert len(await bench.redis.queued_jobs()) == 1


async def test_an_unknown_function_fails_in_a_burst(bench: Bench) -> None:
    job = await bench.enqueue("another service's")
    worker = await bench.burst(fine)
    assert await bench.wait_for_failure(job) == 'JobExecutionFailed: function "another service\'s" not found'
    assert worker.jobs_failed == 1


async def test_run_check_counts_the_jobs(isolated_bench: Bench) -> None:
    for _ in range(3):
        await isolated_bench.enqueue("fine")
    async with bursting(isolated_bench, fine) as worker:
        assert await worker.run_check() == 3


async def test_run_check_raises_for_failed_jobs(isolated_bench: Bench) -> None:
    job = await isolated_bench.enqueue("wrong")
    await isolated_bench.enqueue("fine")
    async with bursting(isolated_bench, fine, wrong) as worker:
        with pytest.raises(FailedJobs, match=r"1 job failed .*wrong") as raised:
            await worker.run_check()
    assert raised.value.count == 1
    assert [result.job_id for result in raised.value.job_results] == [job.job_id]


async def test_run_check_can_disable_retries(isolated_bench: Bench) -> None:
    await isolated_bench.enqueue("always_retry")
    await isolated_bench.enqueue("always_retry")
    async with bursting(isolated_bench, always_retry) as worker:
        with pytest.raises(FailedJobs, match="2 jobs failed") as raised:
            await worker.run_check(retry_jobs=False)
        assert (raised.value.count, worker.jobs_retried) == (2, 0)


async def test_run_check_can_limit_the_jobs(isolated_bench: Bench) -> None:
    for _ in range(3):
        await isolated_bench.enqueue("fine")
    async with bursting(isolated_bench, fine) as worker:
        assert await worker.run_check(max_burst_jobs=2) == 2


async def test_a_worker_can_run_again_without_being_closed(isolated_bench: Bench) -> None:
    """The usual pattern of tests: one worker, run after each step."""
    async with bursting(isolated_bench, fine) as worker:
        for run in (1, 2, 3):
            await isolated_bench.enqueue("fine")
            assert await worker.run_check() == run
            assert await isolated_bench.redis.queued_jobs() == []
        await isolated_bench.enqueue("fine")
        await worker.main()
        assert worker.jobs_complete == 4


async def test_a_job_that_returns_an_exception_has_not_failed(isolated_bench: Bench) -> None:
    async def careful(ctx: dict[str, Any]) -> Exception:
        return ValueError("found, not raised")

    job = await isolated_bench.enqueue("careful")
    async with bursting(isolated_bench, func(careful, name="careful")) as worker:
        assert await worker.run_check() == 1
    assert str(await job.result(timeout=2)).endswith("found, not raised")


async def test_a_job_that_asks_for_too_many_tries_counts_each_of_them_as_retried(isolated_bench: Bench) -> None:
    await isolated_bench.enqueue("always_retry")
    async with bursting(isolated_bench, always_retry, max_tries=3) as worker:
        with pytest.raises(FailedJobs, match="max 3 retries exceeded"):
            await worker.run_check()
        assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (0, 1, 3)


async def test_all_job_results_are_in_enqueue_order(isolated_bench: Bench) -> None:
    jobs = []
    for number in range(3):
        jobs.append(await isolated_bench.enqueue("fine", number, _defer_by=0.1 - 0.03 * number))
        await asyncio.sleep(0.002)
    jobs.append(await isolated_bench.enqueue("wrong"))
    await isolated_bench.burst(fine, wrong)
    results = await isolated_bench.redis.all_job_results()
    assert [result.job_id for result in results] == [job.job_id for job in jobs]
    assert [result.success for result in results] == [True, True, True, False]
    assert [result.result for result in results[:3]] == [0, 1, 2]
