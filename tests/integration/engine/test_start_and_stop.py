"""Workers that are stopped while they start or claim, and workers whose timeouts are not set."""

import asyncio
from signal import Signals
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings
from arq.worker import func

from tests.integration.engine.conftest import Bench, Gate
from tests.support.waiting import until
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.worker import LeaseWorker
from worker.queue import keys
from worker.queue.claim import Claim
from worker.queue.scripts import Scripts


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


@pytest.mark.parametrize("how", ["signal", "close"])
async def test_a_worker_can_be_stopped_while_it_starts(bench: Bench, how: str) -> None:
    starting = asyncio.Event()
    shut_down = []

    async def on_startup(ctx: dict[str, Any]) -> None:
        starting.set()
        await asyncio.Event().wait()

    async def on_shutdown(ctx: dict[str, Any]) -> None:
        shut_down.append(ctx["redis"])

    worker = bench.worker(fine, on_startup=on_startup, on_shutdown=on_shutdown)
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(starting.wait(), 5)
    if how == "signal":
        worker.handle_sig(Signals.SIGTERM)
        await asyncio.wait([main], timeout=5)
        assert main.done()
    await asyncio.wait_for(worker.close(), 5)
    with pytest.raises(asyncio.CancelledError):
        await main
    assert len(shut_down) == 1


async def test_a_starting_worker_waits_for_a_redis_that_became_unavailable(
    own_bench: Bench, own_redis: EmbeddedRedis
) -> None:
    async def opened() -> ArqRedis:
        redis = own_bench.open()
        await redis.ping()
        await own_redis.kill()
        return redis

    worker = own_bench.worker(fine, open_redis=opened)
    main = asyncio.create_task(worker.async_run())
    await until(lambda: worker._serving or main.done())
    assert not main.done()
    await own_redis.start()
    assert await own_bench.outcome(await own_bench.put("fine")) == "fine"
    await worker.close()
    await main


async def test_a_worker_that_is_cancelled_while_it_claims_leaves_no_lease(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, claimed, answered = Scripts.claim, asyncio.Event(), asyncio.Event()

    async def slow(self: Scripts, *arguments: Any) -> Claim:
        found = await claim(self, *arguments)
        if found.jobs:
            claimed.set()
            await answered.wait()
        return found

    monkeypatch.setattr(Scripts, "claim", slow)
    job_id = await bench.put("gated")
    gate = Gate()
    worker = bench.worker(gate.function())
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(claimed.wait(), 5)
    main.cancel()
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await main
    await worker.close()
    assert not await bench.redis.exists(keys.IN_PROGRESS + job_id, keys.TRIES + job_id)
    assert not await bench.redis.hexists(keys.LEASES, job_id)
    gate.open.set()
    monkeypatch.undo()
    await bench.burst(gate.function())
    assert (await bench.result(job_id))["r"] == "through"
    assert not await bench.redis.hexists(keys.CRASHES, job_id)


async def test_a_job_may_have_no_timeout(bench: Bench) -> None:
    deadlines = []

    async def job(ctx: dict[str, Any]) -> str:
        deadlines.append(ctx["job_deadline"])
        return "done"

    job_id = await bench.put("job")
    await bench.burst(func(job, name="job"), job_timeout=None)
    assert await bench.outcome(job_id) == "done"
    assert deadlines == [float("inf")]


async def test_an_interrupted_job_has_time_to_clean_up(bench: Bench) -> None:
    cleaned = []
    running = asyncio.Event()

    async def job(ctx: dict[str, Any]) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)  # lint: allow sleep: stands for a slow clean-up, which is under test
            cleaned.append(ctx["job_id"])

    job_id = await bench.put("job")
    async with bench.serving(func(job, name="job")):
        await asyncio.wait_for(running.wait(), 5)
        assert await bench.job(job_id).abort(timeout=8, poll_delay=0.05)
    assert cleaned == [job_id]


async def test_a_worker_with_arqs_own_pool_stops_while_redis_is_frozen(own_redis: EmbeddedRedis) -> None:
    codec = Codec()
    worker = LeaseWorker(
        [fine],
        redis_settings=RedisSettings.from_dsn(own_redis.url),
        job_serializer=codec.encode,
        job_deserializer=codec.decode,
        handle_signals=False,
    )
    main = asyncio.create_task(worker.async_run())
    await until(lambda: worker._serving)
    own_redis.freeze()
    try:
        await asyncio.wait_for(worker.close(), 30)
    finally:
        own_redis.thaw()
    assert main.done()
    await main
