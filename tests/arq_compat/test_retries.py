"""`Retry`, `max_tries` and `retry_jobs`."""

import asyncio
from datetime import timedelta

import pytest
from arq.worker import Retry, RetryJob

from tests.arq_compat.conftest import Bench
from tests.support.failing import Failing


@pytest.mark.parametrize("error", [Retry, RetryJob, asyncio.CancelledError])
async def test_a_job_is_retried(bench: Bench, error: type[BaseException]) -> None:
    failing = Failing(lambda _: error(), times=2)
    job = await bench.enqueue("job")
    worker = await bench.burst(failing.function())
    assert failing.tries == [1, 2, 3]
    info = await bench.wait_for_result(job)
    assert (info.success, info.result, info.job_try) == (True, "done", 3)
    assert (worker.jobs_complete, worker.jobs_retried, worker.jobs_failed) == (1, 2, 0)


@pytest.mark.parametrize("defer", [0.2, timedelta(seconds=0.2)], ids=["seconds", "timedelta"])
async def test_a_retry_can_be_deferred(bench: Bench, defer: float | timedelta) -> None:
    failing = Failing(lambda _: Retry(defer=defer), times=1)
    await bench.enqueue("job")
    await bench.burst(failing.function())
    assert 0.19 <= failing.at[1] - failing.at[0] < 1.2


async def test_a_retry_delay_can_depend_on_the_try(bench: Bench) -> None:
    failing = Failing(lambda number: Retry(defer=number * 0.1), times=2)
    await bench.enqueue("job")
    await bench.burst(failing.function())
    first, second = failing.pauses
    assert first >= 0.09
    assert second >= 0.19


@pytest.mark.parametrize("error", [Retry, asyncio.CancelledError])
async def test_retries_stop_at_the_workers_max_tries(bench: Bench, error: type[BaseException]) -> None:
    failing = Failing(lambda _: error())
    job = await bench.enqueue("job")
    worker = await bench.burst(failing.function(), max_tries=3)
    assert failing.tries == [1, 2, 3]
    assert await bench.wait_for_failure(job) == "JobExecutionFailed: max 3 retries exceeded"
    assert worker.jobs_failed == 1


async def test_a_functions_max_tries_overrides_the_workers(bench: Bench) -> None:
    failing = Failing(lambda _: Retry())
    job = await bench.enqueue("job")
    await bench.burst(failing.function(max_tries=2), max_tries=9)
    assert failing.tries == [1, 2]
    assert await bench.wait_for_failure(job) == "JobExecutionFailed: max 2 retries exceeded"


async def test_max_tries_defaults_to_five(bench: Bench) -> None:
    failing = Failing(lambda _: Retry())
    await bench.enqueue("job")
    await bench.burst(failing.function())
    assert failing.tries == [1, 2, 3, 4, 5]


async def test_an_ordinary_error_is_final(bench: Bench) -> None:
    failing = Failing(lambda _: ValueError("wrong"))
    job = await bench.enqueue("job")
    worker = await bench.burst(failing.function())
    assert failing.tries == [1]
    assert await bench.wait_for_failure(job) == "ValueError: wrong"
    assert (worker.jobs_failed, worker.jobs_retried) == (1, 0)


@pytest.mark.parametrize("error", [Retry, asyncio.CancelledError])
async def test_nothing_is_retried_without_retry_jobs(bench: Bench, error: type[BaseException]) -> None:
    failing = Failing(lambda _: error())
    job = await bench.enqueue("job")
    worker = await bench.burst(failing.function(), retry_jobs=False)
    assert failing.tries == [1]
    assert not (await bench.wait_for_result(job)).success
    assert (worker.jobs_failed, worker.jobs_retried) == (1, 0)


async def test_a_producer_can_set_the_try_number(bench: Bench) -> None:
    failing = Failing(lambda _: Retry(), times=2)
    job = await bench.enqueue("job", _job_try=3)
    await bench.burst(failing.function())
    assert failing.tries == [3, 4, 5]
    assert (await bench.wait_for_result(job)).job_try == 5


async def test_a_job_beyond_max_tries_does_not_run(bench: Bench) -> None:
    failing = Failing(lambda _: Retry())
    job = await bench.enqueue("job", _job_try=6)
    await bench.burst(failing.function())
    assert failing.tries == []
    assert await bench.wait_for_failure(job) == "JobExecutionFailed: max 5 retries exceeded"
