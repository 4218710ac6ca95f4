"""A pool of few connections makes jobs slower, but no job is lost."""

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
