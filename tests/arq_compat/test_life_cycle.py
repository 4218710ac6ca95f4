"""A job's life cycle from `enqueue_job` to its result, as `arq.jobs.Job` reports it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.jobs import Job, JobStatus, ResultNotFound
from arq.worker import func

from tests.arq_compat.conftest import Bench
from worker.errors import RemoteError


async def echo(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> list[Any]:
    return [list(args), kwargs]


async def test_status_goes_from_queued_to_in_progress_to_complete(bench: Bench) -> None:
    gate = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> str:
        await gate.wait()
        return "waited"

    job = await bench.enqueue("wait")
    assert await job.status() is JobStatus.queued
    async with bench.serving(func(wait, name="wait")) as worker:
        await bench.wait_for_status(job, JobStatus.in_progress)
        gate.set()
        assert await job.result(timeout=5, poll_delay=0.02) == "waited"
        assert await job.status() is JobStatus.complete
        await bench.until(lambda: not any(task for task in worker.tasks.values() if not task.done()))
        assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (1, 0, 0)
        assert repr(worker) == "<Worker j_complete=1 j_failed=0 j_retried=0 j_ongoing=0>"


async def test_a_deferred_job_has_status_deferred(bench: Bench) -> None:
    job = await bench.enqueue("echo", _defer_by=60)
    assert await job.status() is JobStatus.deferred


async def test_an_unknown_id_is_not_found(bench: Bench) -> None:
    job = Job(bench.new_id(), bench.redis, _queue_name=bench.queue)
    assert await job.status() is JobStatus.not_found
    assert await job.info() is None
    assert await job.result_info() is None
    with pytest.raises(ResultNotFound):
        await job.result(timeout=1)


async def test_waiting_for_a_result_can_time_out(bench: Bench) -> None:
    job = await bench.enqueue("echo")
    with pytest.raises(asyncio.TimeoutError):
        await job.result(timeout=0.02, poll_delay=0.02)


async def test_positional_and_keyword_arguments(bench: Bench) -> None:
    job = await bench.enqueue("echo", 1, "two", three=[3], four={"4": None})
    await bench.burst(echo)
    assert await job.result(timeout=5) == [[1, "two"], {"three": [3], "four": {"4": None}}]


async def test_info_describes_a_queued_job(bench: Bench) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    job = await bench.enqueue("echo", 1, b=2, _job_try=3)
    info = await job.info()
    assert info is not None
    assert (info.function, list(info.args), info.kwargs, info.job_try) == ("echo", [1], {"b": 2}, 3)
    assert before < info.enqueue_time < before + timedelta(seconds=10)
    assert info.score == round(info.enqueue_time.timestamp() * 1000)
    assert await job.result_info() is None


async def test_info_describes_a_completed_job(bench: Bench) -> None:
    job = await bench.enqueue("echo", 1, b=2)
    await bench.burst(echo)
    info = await bench.wait_for_result(job)
    assert (info.function, list(info.args), info.kwargs) == ("echo", [1], {"b": 2})
    assert (info.success, info.result, info.job_try) == (True, [[1], {"b": 2}], 1)
    assert (info.queue_name, info.job_id) == (bench.queue, job.job_id)
    assert info.enqueue_time <= info.start_time <= info.finish_time
    again = await job.info()
    assert again is not None
    assert again.score is None


async def test_an_error_is_raised_for_the_waiting_caller(bench: Bench) -> None:
    async def fail(ctx: dict[str, Any]) -> None:
        raise LookupError("nothing there")

    job = await bench.enqueue("fail")
    worker = await bench.burst(func(fail, name="fail"))
    with pytest.raises(RemoteError, match="nothing there") as raised:
        await job.result(timeout=5)
    assert raised.value.kind == "LookupError"
    assert await job.status() is JobStatus.complete
    assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (0, 1, 0)


async def test_an_id_that_is_queued_running_or_done_cannot_be_reused(bench: Bench) -> None:
    gate = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> None:
        await gate.wait()

    job_id = bench.new_id()
    job = await bench.enqueue("wait", _job_id=job_id)
    assert job.job_id == job_id
    assert await bench.redis.enqueue_job("wait", _job_id=job_id) is None
    async with bench.serving(func(wait, name="wait")):
        await bench.wait_for_status(job, JobStatus.in_progress)
        assert await bench.redis.enqueue_job("wait", _job_id=job_id) is None
        gate.set()
        await bench.wait_for_result(job)
    assert await bench.redis.enqueue_job("wait", _job_id=job_id) is None


async def test_an_id_can_be_reused_when_no_result_is_kept(bench: Bench) -> None:
    runs = []

    async def job(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_try"])

    job_id = bench.new_id()
    for _ in range(2):
        await bench.enqueue("job", _job_id=job_id)
        await bench.burst(func(job, name="job", keep_result=0))
    assert runs == [1, 1]


async def test_queued_jobs_lists_due_and_deferred_jobs(bench: Bench) -> None:
    first = await bench.enqueue("echo", "a")
    second = await bench.enqueue("echo", "b", _defer_by=60)
    queued = await bench.redis.queued_jobs()
    assert [(entry.job_id, list(entry.args)) for entry in queued] == [(first.job_id, ["a"]), (second.job_id, ["b"])]
    assert all(entry.score for entry in queued)


async def test_a_worker_takes_only_jobs_of_its_own_queue(bench: Bench) -> None:
    other = bench.queue + "-other"
    mine = await bench.enqueue("echo")
    others = await bench.enqueue("echo", _queue_name=other)
    await bench.burst(echo)
    assert await mine.status() is JobStatus.complete
    assert await others.status() is JobStatus.queued
    await bench.burst(echo, queue_name=other)
    assert (await bench.wait_for_result(others)).queue_name == other


async def test_a_worker_without_queue_name_uses_the_pools_queue(bench: Bench) -> None:
    job = await bench.enqueue("echo")
    worker = await bench.burst(echo, queue_name=None, redis_pool=await bench.open(), redis_settings=None)
    assert worker.queue_name == bench.queue
    assert await job.status() is JobStatus.complete


async def test_jobs_start_in_due_order(bench: Bench) -> None:
    order = []

    async def note(ctx: dict[str, Any], number: int) -> None:
        order.append(number)

    now = datetime.now(UTC)
    for number in (3, 1, 2):
        await bench.enqueue("note", number, _defer_until=now - timedelta(seconds=10 - number))
    await bench.burst(func(note, name="note"), max_jobs=1)
    assert order == [1, 2, 3]


async def test_no_more_than_max_jobs_run_at_once(bench: Bench) -> None:
    running, most = 0, 0

    async def count(ctx: dict[str, Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        # The first three wait for each other, however slowly they start.
        await bench.until(lambda: most >= 3)
        await asyncio.sleep(0.01)
        running -= 1

    for _ in range(12):
        await bench.enqueue("count")
    worker = await bench.burst(func(count, name="count"), max_jobs=3)
    assert (most, worker.jobs_complete) == (3, 12)


async def test_a_job_can_enqueue_another(bench: Bench) -> None:
    async def first(ctx: dict[str, Any], job_id: str) -> None:
        await ctx["redis"].enqueue_job("echo", "from a job", _job_id=job_id)

    job_id = bench.new_id()
    await bench.enqueue("first", job_id)
    await bench.burst(func(first, name="first"), echo)
    second = Job(job_id, bench.redis, _queue_name=bench.queue, _deserializer=bench.redis.job_deserializer)
    assert await second.result(timeout=5) == [["from a job"], {}]
