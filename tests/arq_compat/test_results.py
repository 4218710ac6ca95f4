"""How long results are kept, and per-function settings."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from arq.jobs import JobStatus, ResultNotFound
from arq.worker import Retry, func

from tests.arq_compat.conftest import Bench

_FOREVER = -1


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


async def wrong(ctx: dict[str, Any]) -> None:
    raise ValueError("wrong")


@pytest.mark.parametrize("function", [fine, wrong])
@pytest.mark.parametrize(
    ("worker_options", "function_options", "seconds"),
    [
        ({}, {}, 3_600),
        ({"keep_result": 60}, {}, 60),
        ({"keep_result": timedelta(minutes=1)}, {}, 60),
        ({"keep_result": 60}, {"keep_result": 30}, 30),
        ({"keep_result": 60}, {"keep_result": timedelta(seconds=30)}, 30),
        ({"keep_result_forever": True}, {}, _FOREVER),
        ({"keep_result": 60}, {"keep_result_forever": True}, _FOREVER),
        ({"keep_result_forever": True}, {"keep_result_forever": False, "keep_result": 30}, 30),
    ],
)
async def test_results_are_kept_for_the_configured_time(
    bench: Bench, function: Any, worker_options: dict[str, Any], function_options: dict[str, Any], seconds: float
) -> None:
    job = await bench.enqueue("job")
    await bench.burst(func(function, name="job", **function_options), **worker_options)
    left_ms = await bench.redis.pttl("arq:result:" + job.job_id)
    if seconds == _FOREVER:
        assert left_ms == _FOREVER
    else:
        assert (seconds - 20) * 1000 < left_ms <= seconds * 1000


@pytest.mark.parametrize("function", [fine, wrong])
@pytest.mark.parametrize(
    ("worker_options", "function_options"), [({"keep_result": 0}, {}), ({}, {"keep_result": 0})]
)
async def test_keep_result_zero_keeps_no_result(
    bench: Bench, function: Any, worker_options: dict[str, Any], function_options: dict[str, Any]
) -> None:
    job = await bench.enqueue("job")
    await bench.burst(func(function, name="job", **function_options), **worker_options)
    assert await job.status() is JobStatus.not_found
    with pytest.raises(ResultNotFound):
        await job.result(timeout=1)


async def test_functions_are_named_by_their_qualified_name(bench: Bench) -> None:
    class Jobs:
        @staticmethod
        async def nested(ctx: dict[str, Any]) -> str:
            return "nested"

    job = await bench.enqueue(Jobs.nested.__qualname__)
    await bench.burst(Jobs.nested)
    assert await job.result(timeout=5) == "nested"


async def test_functions_can_be_given_a_name(bench: Bench) -> None:
    job = await bench.enqueue("another name")
    await bench.burst(func(fine, name="another name"))
    assert await job.result(timeout=5) == "fine"


@pytest.mark.parametrize(
    ("worker_options", "function_options"),
    [({"job_timeout": 0.05}, {}), ({"job_timeout": 60}, {"timeout": timedelta(seconds=0.05)})],
)
async def test_a_job_is_cancelled_at_its_timeout(
    bench: Bench, worker_options: dict[str, Any], function_options: dict[str, Any]
) -> None:
    cancelled = []

    async def job(ctx: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(ctx["job_id"])
            raise

    late = await bench.enqueue("job")
    worker = await bench.burst(func(job, name="job", max_tries=1, **function_options), **worker_options)
    assert cancelled == [late.job_id]
    assert (await bench.wait_for_failure(late)).startswith("TimeoutError")
    assert worker.jobs_failed == 1


async def test_a_functions_timeout_overrides_the_workers(bench: Bench) -> None:
    async def job(ctx: dict[str, Any]) -> str:
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.15
        while loop.time() < end:
            await asyncio.sleep(0.01)
        return "done"

    slow = await bench.enqueue("job")
    await bench.burst(func(job, name="job", timeout=60), job_timeout=0.05)
    assert await slow.result(timeout=5) == "done"


async def test_a_job_that_expired_before_its_start_fails(bench: Bench) -> None:
    runs = []

    async def job(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_id"])

    late = await bench.enqueue("job", _expires=0.05)
    await bench.until(lambda: _is_gone(bench, late.job_id))
    worker = await bench.burst(func(job, name="job"))
    assert await bench.wait_for_failure(late) == "JobExecutionFailed: job expired"
    assert (runs, worker.jobs_failed) == ([], 1)


async def test_an_expired_job_is_not_retried(bench: Bench) -> None:
    runs = []

    async def job(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_try"])
        # Soon, but not before it runs, however late a worker starts.
        await bench.redis.pexpire("arq:job:" + ctx["job_id"], 20)
        await bench.until(lambda: _is_gone(bench, ctx["job_id"]))
        raise Retry

    late = await bench.enqueue("job", _expires=timedelta(seconds=60))
    await bench.burst(func(job, name="job"))
    assert runs == [1]
    assert await bench.wait_for_failure(late) == "JobExecutionFailed: job expired"


async def _is_gone(bench: Bench, job_id: str) -> bool:
    return not await bench.redis.exists("arq:job:" + job_id)
