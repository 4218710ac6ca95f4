import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis as SyncRedis

from tests.redis_scripts.script_bench import ScriptBench
from tests.support.captured_lines import capture_logs
from tests.support.logged_events import logged_events
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.embedded.processes import wait_until
from worker.engine import lease_renewer
from worker.engine.arq_redis import open_arq_redis
from worker.engine.lease_renewer import Lease, LeaseRenewer
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.redis.client import sync_twin
from worker.settings import load_settings

LEASE_S = 1.0


@pytest.fixture
def logs() -> Any:
    with capture_logs() as lines:
        yield lines


@asynccontextmanager
async def bench_on(server: EmbeddedRedis) -> AsyncIterator[ScriptBench]:
    redis = open_arq_redis(load_settings(redis_url=server.url, redis_timeout=0.5), Codec())
    try:
        yield ScriptBench(redis)
    finally:
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def renewing(script_bench: ScriptBench, *jobs: ClaimedJob) -> AsyncIterator[tuple[LeaseRenewer, list[Lease]]]:
    lost: list[Lease] = []
    renewer = LeaseRenewer(
        lambda: sync_twin(script_bench.redis), LEASE_S, lost.extend, logged_events(), lambda silent_s, thread: False
    )
    for job in jobs:
        renewer.hold(Lease(job.job_id, job.queue, "token"))
    try:
        yield renewer, lost
    finally:
        await renewer.close()


async def claim(script_bench: ScriptBench, *names: str) -> list[ClaimedJob]:
    await script_bench.enqueue(*names)
    return (await script_bench.claim(lease_ms=int(LEASE_S * 1000))).jobs


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    async def met() -> bool:
        answer = condition()
        return bool(await answer if asyncio.iscoroutine(answer) else answer)

    await wait_until(met, seconds=seconds, failure=lambda: "the condition did not become true")


def lease_end(script_bench: ScriptBench, name: str) -> Any:
    return script_bench.redis.zscore(script_bench.queue + keys.LEASED_SUFFIX, script_bench.id(name))


async def wait_until_extended(script_bench: ScriptBench, name: str, lengths: float = 1.5) -> None:
    """Wait until a lease ends later than it does now by at least `lengths` times its length."""
    end = await lease_end(script_bench, name)

    async def renewed() -> bool:
        return bool(await lease_end(script_bench, name) > end + lengths * LEASE_S * 1000)

    await eventually(renewed)


async def test_held_leases_are_renewed_beyond_their_length(script_bench: ScriptBench) -> None:
    jobs = await claim(script_bench, "a", "b")
    async with renewing(script_bench, *jobs) as (_, lost):
        await wait_until_extended(script_bench, "a")

        assert (await script_bench.claim("other")).jobs == []
        assert lost == []
    assert await script_bench.finish(jobs[0])


async def test_a_released_lease_expires(script_bench: ScriptBench) -> None:
    jobs = await claim(script_bench, "a")
    async with renewing(script_bench, *jobs) as (renewer, _):
        await wait_until_extended(script_bench, "a", 0.3)
        renewer.release(jobs[0].job_id, "token")

        async def claimed_by_other() -> bool:
            return len((await script_bench.claim("other")).jobs) == 1

        await eventually(claimed_by_other)
        assert (await script_bench.counts()).in_flight == 1


async def test_all_leases_are_renewed_even_if_they_take_several_calls(
    script_bench: ScriptBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewer, "_PER_CALL", 2)
    jobs = await claim(script_bench, "a", "b", "c", "d", "e")
    async with renewing(script_bench, *jobs):
        for name in "abcde":
            await wait_until_extended(script_bench, name, 0.3)

        assert (await script_bench.counts()).in_flight == 5


async def test_a_lost_lease_is_reported_in_the_event_loop(script_bench: ScriptBench) -> None:
    jobs = await claim(script_bench, "held", "lost")
    async with renewing(script_bench, *jobs) as (_, lost):
        await script_bench.redis.hset(keys.LEASES, script_bench.id("lost"), "another worker")

        await eventually(lambda: lost)

        assert {lease.job_id for lease in lost} == {script_bench.id("lost").encode()}


def block_the_loop(url: str, until: Callable[[SyncRedis], bool]) -> None:
    """Block the event loop's thread, as a computing job does, until `until` returns true."""
    deadline = time.monotonic() + 10
    with SyncRedis.from_url(url) as redis:
        while not _ask_at_depth(20, lambda: until(redis)):
            assert time.monotonic() < deadline


def _ask_at_depth(calls: int, ask: Callable[[], bool]) -> bool:
    """Call `ask` as deep in the stack as a client library may be below a job.

    The watcher usually finds a blocked loop at such a depth.
    """
    if calls:
        return _ask_at_depth(calls - 1, ask)
    time.sleep(0.01)
    return ask()


async def test_a_blocked_event_loop_keeps_its_leases_and_is_logged(
    redis_server: EmbeddedRedis, script_bench: ScriptBench, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewer, "_BLOCKED_AFTER_S", 0.6)
    jobs = await claim(script_bench, "a")
    first_end = await lease_end(script_bench, "a")

    def renewed_and_logged(redis: SyncRedis) -> bool:
        end = redis.zscore(script_bench.queue + keys.LEASED_SUFFIX, script_bench.id("a"))
        return bool(logs and end > first_end + 2 * LEASE_S * 1000)

    async with renewing(script_bench, *jobs):
        block_the_loop(redis_server.url, renewed_and_logged)

    assert (await script_bench.claim("other")).jobs == []
    # One entry for each time that the loop is blocked, however long that lasts.
    (entry,) = logs
    assert (entry["action"], entry["log_level"]) == ("event_loop_blocked", "error")
    assert "block_the_loop" in entry["stack"]
    assert entry["seconds"] >= 0.6


async def test_a_loop_that_is_blocked_a_second_time_is_logged_again(
    redis_server: EmbeddedRedis, script_bench: ScriptBench, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewer, "_BLOCKED_AFTER_S", 0.6)
    async with renewing(script_bench, *await claim(script_bench, "a")):
        block_the_loop(redis_server.url, lambda _: len(logs) == 1)
        await wait_until_extended(script_bench, "a", 0.6)
        block_the_loop(redis_server.url, lambda _: len(logs) == 2)

    assert [entry["action"] for entry in logs] == ["event_loop_blocked"] * 2


async def test_a_responsive_loop_is_not_logged(script_bench: ScriptBench, logs: list[Any]) -> None:
    async with renewing(script_bench, *await claim(script_bench, "a")):
        await wait_until_extended(script_bench, "a")

    assert logs == []


@pytest.mark.parametrize("fault", ["restarted", "killed", "frozen"])
async def test_leases_are_renewed_again_after_a_redis_fault(own_redis: EmbeddedRedis, fault: str) -> None:
    async with bench_on(own_redis) as script_bench:
        jobs = await claim(script_bench, "a")
        async with renewing(script_bench, *jobs) as (_, lost):
            await wait_until_extended(script_bench, "a", 0.3)
            match fault:
                case "restarted":
                    await own_redis.restart()
                case "killed":
                    await own_redis.kill()
                    await own_redis.start()
                case _:
                    own_redis.freeze()
                    await _wait_longer_than_a_lease()
                    own_redis.thaw()

            await wait_until_extended(script_bench, "a")

            assert lost == []
            assert (await script_bench.claim("other", lease_ms=1_000)).jobs == []
        assert await script_bench.finish(jobs[0])


async def _wait_longer_than_a_lease() -> None:
    until = time.monotonic() + 1.5 * LEASE_S
    await eventually(lambda: time.monotonic() > until)


async def test_closing_ends_the_thread(script_bench: ScriptBench) -> None:
    async with renewing(script_bench) as (renewer, _):
        thread = renewer._thread
        assert thread.is_alive()

    assert not thread.is_alive()


async def test_an_error_that_ends_the_thread_is_reported() -> None:
    def broken() -> SyncRedis:
        raise ValueError("no such server")

    renewer = LeaseRenewer(broken, LEASE_S, lambda leases: None, logged_events(), lambda silent_s, thread: False)
    try:
        with pytest.raises(ValueError, match="no such server"):
            await asyncio.wait_for(renewer.failed, 5)
    finally:
        await renewer.close()
