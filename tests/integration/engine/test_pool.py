"""A pool of few connections makes jobs slower, but no job is lost."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from arq.connections import RedisSettings
from arq.worker import func

from tests.integration.engine.conftest import Bench
from worker.codec import Codec


async def test_callers_wait_for_a_connection_if_the_pool_is_full(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.settings = bench.settings.model_copy(update={"redis_pool_size": 2})
    runs: Counter[str] = Counter()

    async def busy(ctx: dict[str, Any]) -> str:
        runs[ctx["job_id"]] += 1
        for _ in range(3):
            await ctx["redis"].incr(f"{bench.queue}-count")
        return "done"

    jobs = [await bench.put("busy") for _ in range(100)]
    async with bench.serving(func(busy, name="busy"), max_jobs=50):
        for job_id in jobs:
            assert await bench.outcome(job_id) == "done"
    assert set(runs.values()) == {1}
    assert int(await bench.redis.get(f"{bench.queue}-count")) == 300
    assert "redis_lost" not in capsys.readouterr().err


async def test_a_worker_survives_an_arq_pool_that_is_too_small(bench: Bench) -> None:
    """arq's pool raises an error when it is full, and arq's worker ends although the job took effect."""
    runs: Counter[str] = Counter()

    async def note(ctx: dict[str, Any]) -> str:
        runs[ctx["job_id"]] += 1
        return "done"

    settings = RedisSettings.from_dsn(bench.settings.redis_url.get_secret_value())
    settings.max_connections = 2
    jobs = [await bench.put("note") for _ in range(100)]
    async with bench.serving(
        func(note, name="note"),
        open_redis=None,
        redis_settings=settings,
        job_serializer=Codec().encode,
        job_deserializer=Codec().decode,
        max_jobs=50,
    ):
        for job_id in jobs:
            assert await bench.outcome(job_id) == "done"
    assert set(runs.values()) == {1}


async def test_jobs_that_keep_their_connections_leave_some_to_the_worker(bench: Bench) -> None:
    """As many subscribe to a channel as the pool has connections, and keep them until the gate is open."""
    gate, subscribed = asyncio.Event(), Counter[str]()

    async def subscribing(ctx: dict[str, Any]) -> None:
        async with ctx["redis"].pubsub() as channel:
            await channel.subscribe(bench.queue)
            subscribed[ctx["job_id"]] += 1
            await gate.wait()

    async def note(ctx: dict[str, Any]) -> str:
        return "done"

    functions = func(subscribing, name="subscribing", max_tries=1_000), func(note, name="note")
    async with bench.serving(*functions, max_jobs=50) as worker:
        for _ in range(bench.settings.redis_pool_size):
            await bench.put("subscribing")
        await bench.until(lambda: len(subscribed) >= 6)
        for _ in range(10):
            assert await bench.outcome(await bench.put("note"), 1) == "done"
        assert worker.redis_health.is_up
        assert await bench.is_ready(worker)
        gate.set()
        await bench.until(lambda: len(subscribed) == bench.settings.redis_pool_size, 30)
