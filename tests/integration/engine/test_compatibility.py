"""Features of arq that its users rely on, run by this engine."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arq.jobs import JobStatus
from arq.worker import Worker, async_check_health, create_worker, func

from tests.integration.engine.conftest import Bench
from worker.codec import Codec
from worker.engine.arq_redis import arq_redis_settings
from worker.engine.worker import LeaseWorker
from worker.errors import RemoteError
from worker.queue import keys


async def test_arqs_own_producer_and_job_class_work_with_this_worker(bench: Bench) -> None:
    gate = asyncio.Event()

    async def add(ctx: dict[str, Any], one: int, *, other: int) -> int:
        await gate.wait()
        return one + other

    job = await bench.redis.enqueue_job("add", 1, other=2, _queue_name=bench.queue)
    assert job is not None
    assert await job.status() is JobStatus.queued
    queued = await job.info()
    assert queued is not None
    assert queued.function == "add"
    again = await bench.redis.enqueue_job("add", 1, other=2, _queue_name=bench.queue, _job_id=job.job_id)
    assert again is None
    later = await bench.redis.enqueue_job("add", 5, other=5, _queue_name=bench.queue, _defer_by=0.8)
    assert later is not None
    assert await later.status() is JobStatus.deferred
    async with bench.serving(func(add, name="add")):
        await bench.until(lambda: _has_status(job, JobStatus.in_progress))
        gate.set()
        assert await job.result(timeout=5, poll_delay=0.02) == 3
        assert await job.status() is JobStatus.complete
        info = await job.result_info()
        assert info is not None
        assert (info.function, info.success, info.job_try) == ("add", True, 1)
        assert list(info.args) == [1]
        assert info.kwargs == {"other": 2}
        assert info.queue_name == bench.queue
        assert await later.result(timeout=5, poll_delay=0.02) == 10


async def _has_status(job: Any, status: JobStatus) -> bool:
    return await job.status() is status


async def test_a_dead_letter_is_replaced_if_arqs_own_client_uses_its_id_again(bench: Bench) -> None:
    async def fail(ctx: dict[str, Any], number: int) -> None:
        raise LookupError("nothing there")

    job_id = f"{bench.queue}-again"

    async def enqueued(number: int) -> bool:
        job = await bench.redis.enqueue_job("fail", number, _job_id=job_id, _queue_name=bench.queue)
        return job is not None

    async def dead_with() -> list[Any]:
        letter = await bench.dead_letter(job_id)
        return list(Codec().decode(letter.envelope)["a"])

    async with bench.serving(func(fail, name="fail", keep_result=0)):
        assert await enqueued(1)
        assert await dead_with() == [1]
        assert await enqueued(2)
        await bench.until(lambda: _equals(dead_with, [2]))


async def _equals(read: Callable[[], Awaitable[Any]], wanted: Any) -> bool:
    return bool(await read() == wanted)


async def test_arqs_job_result_raises_the_error_of_the_job(bench: Bench) -> None:
    async def fail(ctx: dict[str, Any]) -> None:
        raise LookupError("nothing there")

    job = await bench.redis.enqueue_job("fail", _queue_name=bench.queue)
    async with bench.serving(func(fail, name="fail")):
        assert job is not None
        with pytest.raises(RemoteError, match="nothing there") as raised:
            await job.result(timeout=5, poll_delay=0.02)
    assert raised.value.kind == "LookupError"


async def test_a_job_gets_arqs_context(bench: Bench) -> None:
    seen: dict[str, Any] = {}

    async def look(ctx: dict[str, Any]) -> None:
        seen.update(ctx)

    async def opened(ctx: dict[str, Any]) -> None:
        ctx["mine"] = "yes"

    job_id = await bench.put("look", delay_ms=50)
    await bench.burst(func(look, name="look"), on_startup=opened, ctx={"given": 1})
    assert (seen["job_id"], seen["job_try"], seen["mine"], seen["given"]) == (job_id, 1, "yes", 1)
    assert seen["score"] > seen["enqueue_time"].timestamp() * 1000
    assert seen["redis"] is not None


async def test_every_setting_of_arq_reaches_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def job(ctx: dict[str, Any]) -> None: ...

    class Settings:
        functions = [job]  # noqa: RUF012 (as arq reads it)
        queue_name = "first"
        queues = {"first": 3, "second": 2}  # noqa: RUF012 (as arq reads it)
        lease = 7
        max_jobs = 3
        job_timeout = 11
        poll_delay = 0.25
        keep_result_forever = True
        handle_signals = False

    monkeypatch.setattr("arq.worker.Worker", LeaseWorker)
    worker = create_worker(Settings)  # type: ignore[arg-type]
    assert isinstance(worker, LeaseWorker)
    assert (worker.queues, worker.lease_s, worker.max_jobs, worker.job_timeout_s) == (
        {"first": 3, "second": 2},
        7,
        3,
        11,
    )
    assert (worker.poll_delay_s, worker.keep_result_forever) == (0.25, True)


async def test_arq_workers_and_lease_workers_share_a_queue(bench: Bench) -> None:
    runs: Counter[str] = Counter()
    by: Counter[str] = Counter()

    def function(owner: str) -> Any:
        async def job(ctx: dict[str, Any]) -> str:
            runs[ctx["job_id"]] += 1
            by[owner] += 1
            await asyncio.sleep(0.01)
            return owner

        return func(job, name="job")

    jobs = [await bench.put("job") for _ in range(1_000)]
    codec = Codec()
    stock_pool = bench.open()
    stock = Worker(
        [function("stock")],
        queue_name=bench.queue,
        redis_pool=stock_pool,
        handle_signals=False,
        poll_delay=0.02,
        max_jobs=10,
        job_serializer=codec.encode,
        job_deserializer=codec.decode,
        # A burst ends without being cancelled. If cancelled in the middle of a pipeline, arq's worker leaves a
        # connection to the garbage collector.
        burst=True,
    )
    stock_main = asyncio.create_task(stock.async_run())
    await bench.until(lambda: by["stock"] > 10)
    async with bench.serving(function("lease"), max_jobs=10):
        await bench.until(lambda: _is_empty(bench), 40)
    await asyncio.wait_for(stock_main, 10)
    await stock_pool.aclose(close_connection_pool=True)
    assert sorted(runs) == sorted(jobs)
    assert set(runs.values()) == {1}
    assert min(by["stock"], by["lease"]) > 0
    for job_id in jobs[::100]:
        assert await bench.outcome(job_id) in {"stock", "lease"}


async def _is_empty(bench: Bench) -> bool:
    return not await bench.redis.zcard(bench.queue) and not await bench.redis.zcard(
        bench.queue + keys.LEASED_SUFFIX
    )


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq closes its connection this way
async def test_arqs_health_check_reports_whether_a_worker_is_running(bench: Bench) -> None:
    async def job(ctx: dict[str, Any]) -> None: ...

    async def code() -> int:
        return await async_check_health(arq_redis_settings(bench.settings), queue_name=bench.queue)

    async def is_healthy() -> bool:
        return await code() == 0

    assert await code() == 1
    async with bench.serving(func(job, name="job")):
        await bench.until(is_healthy)
        expires_in_ms = await bench.redis.pttl(bench.queue + keys.HEALTH_CHECK_SUFFIX)
        assert 0 < expires_in_ms <= 5_000
