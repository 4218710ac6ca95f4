"""The key that `arq --check` reads."""

import asyncio
from typing import Any

import pytest
from arq.worker import async_check_health, check_health

from tests.arq_compat.conftest import Bench

# arq closes its connection with a method that redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close")


async def fine(ctx: dict[str, Any]) -> None: ...


async def test_a_running_worker_writes_its_counters(bench: Bench) -> None:
    await bench.enqueue("fine", _defer_by=60)
    async with bench.serving(fine):
        value = await bench.until(lambda: bench.redis.get(bench.queue + ":health-check"))
    assert value.decode().endswith(" j_complete=0 j_failed=0 j_retried=0 j_ongoing=0 queued=1")


async def test_the_key_can_be_named(bench: Bench) -> None:
    key = bench.queue + "-alive"
    async with bench.serving(fine, health_check_key=key, health_check_interval=1):
        await bench.until(lambda: bench.redis.exists(key))
        assert await async_check_health(bench.settings, health_check_key=key) == 0
        assert not await bench.redis.exists(bench.queue + ":health-check")


async def test_the_key_expires_within_seconds(bench: Bench) -> None:
    async with bench.serving(fine, health_check_interval=1):
        await bench.until(lambda: bench.redis.exists(bench.queue + ":health-check"))
        assert 0 < await bench.redis.pttl(bench.queue + ":health-check") <= 5_000


async def test_the_check_reports_whether_a_worker_runs(bench: Bench) -> None:
    class Settings:
        functions = [fine]  # noqa: RUF012 (as arq reads it)
        redis_settings = bench.settings
        queue_name = bench.queue

    async def exit_code() -> int:
        # `check_health` runs its own event loop.
        return await asyncio.to_thread(check_health, Settings)  # type: ignore[arg-type]

    assert await exit_code() == 1
    async with bench.serving(fine):
        await bench.until(lambda: bench.redis.exists(bench.queue + ":health-check"))
        assert await exit_code() == 0
