import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from redis import Redis as SyncRedis
from structlog.testing import LogCapture

from tests.contracts.queue_bench import QueueBench
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.embedded.processes import wait_until
from worker.queue import keys, leases
from worker.queue.connection import open_redis, sync_twin
from worker.queue.leases import Lease, LeaseKeeper
from worker.queue.scripts import Claimed
from worker.settings import load_settings

LEASE_S = 1.0


@pytest.fixture
def logs() -> Any:
    # The keeper logs in a thread of its own.
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture])
    yield capture.entries
    structlog.configure(**before)


@asynccontextmanager
async def bench_on(server: EmbeddedRedis) -> AsyncIterator[QueueBench]:
    redis = open_redis(load_settings(redis_url=server.url, redis_timeout=0.5), Codec())
    try:
        yield QueueBench(redis)
    finally:
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def keeping(bench: QueueBench, *jobs: Claimed) -> AsyncIterator[tuple[LeaseKeeper, list[Lease]]]:
    told: list[Lease] = []
    keeper = LeaseKeeper(lambda: sync_twin(bench.redis), LEASE_S, told.extend)
    for job in jobs:
        keeper.held[job.job_id] = Lease(job.job_id, job.lane, "token")
    try:
        yield keeper, told
    finally:
        await keeper.close()


async def claim(bench: QueueBench, *names: str) -> list[Claimed]:
    await bench.enqueue(*names)
    return (await bench.claim(lease_ms=int(LEASE_S * 1000))).jobs


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    async def met() -> bool:
        answer = condition()
        return bool(await answer if asyncio.iscoroutine(answer) else answer)

    await wait_until(met, seconds=seconds, failure=lambda: "it did not come to that")


def lease_end(bench: QueueBench, name: str) -> Any:
    return bench.redis.zscore(bench.lane + keys.LEASED_SUFFIX, bench.id(name))


async def outlived(bench: QueueBench, name: str, lengths: float = 1.5) -> None:
    """Wait until a lease has been renewed for so many of its lengths beyond its first end."""
    first_end = await lease_end(bench, name)

    async def renewed() -> bool:
        return bool(await lease_end(bench, name) > first_end + lengths * LEASE_S * 1000)

    await eventually(renewed)


async def test_held_leases_outlive_their_length(bench: QueueBench) -> None:
    jobs = await claim(bench, "a", "b")
    async with keeping(bench, *jobs) as (_, told):
        await outlived(bench, "a")

        assert (await bench.claim("other")).jobs == []
        assert told == []
    assert await bench.finish(jobs[0])


async def test_a_lease_that_is_held_no_more_ends(bench: QueueBench) -> None:
    jobs = await claim(bench, "a")
    async with keeping(bench, *jobs) as (keeper, _):
        await outlived(bench, "a", 0.3)
        keeper.held.clear()

        async def taken() -> bool:
            return len((await bench.claim("other")).jobs) == 1

        await eventually(taken)
        assert (await bench.counts()).in_flight == 1


async def test_more_leases_than_one_call_takes_are_all_renewed(
    bench: QueueBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_PER_CALL", 2)
    jobs = await claim(bench, "a", "b", "c", "d", "e")
    async with keeping(bench, *jobs):
        for name in "abcde":
            await outlived(bench, name, 0.3)

        assert (await bench.counts()).in_flight == 5


async def test_a_lost_lease_is_told_in_the_event_loop(bench: QueueBench) -> None:
    jobs = await claim(bench, "kept", "lost")
    async with keeping(bench, *jobs) as (_, told):
        await bench.redis.hset(keys.LEASES, bench.id("lost"), "somebody else")

        await eventually(lambda: told)

        assert {lease.job_id for lease in told} == {bench.id("lost").encode()}


def block_the_loop(url: str, until: Callable[[SyncRedis], bool]) -> None:
    """Hold the event loop's thread as a computing job does, until something has come about elsewhere."""
    deadline = time.monotonic() + 10
    with SyncRedis.from_url(url) as redis:
        while not _asked_deep_within(20, lambda: until(redis)):
            assert time.monotonic() < deadline


def _asked_deep_within(calls: int, ask: Callable[[], bool]) -> bool:
    """Ask from as many calls below a job as a client library may make, where the watcher mostly finds the loop."""
    if calls:
        return _asked_deep_within(calls - 1, ask)
    time.sleep(0.01)
    return ask()


async def test_a_blocked_event_loop_keeps_its_leases_and_is_told(
    redis_server: EmbeddedRedis, bench: QueueBench, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_BLOCKED_AFTER_S", 0.6)
    jobs = await claim(bench, "a")
    first_end = await lease_end(bench, "a")

    def renewed_and_told(redis: SyncRedis) -> bool:
        end = redis.zscore(bench.lane + keys.LEASED_SUFFIX, bench.id("a"))
        return bool(logs and end > first_end + 2 * LEASE_S * 1000)

    async with keeping(bench, *jobs):
        block_the_loop(redis_server.url, renewed_and_told)

    assert (await bench.claim("other")).jobs == []
    # Once for one blockade, however long.
    (entry,) = logs
    assert (entry["action"], entry["log_level"]) == ("event_loop_blocked", "error")
    assert "block_the_loop" in entry["stack"]
    assert entry["seconds"] >= 0.6


async def test_a_loop_that_was_freed_and_is_blocked_again_is_told_again(
    redis_server: EmbeddedRedis, bench: QueueBench, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_BLOCKED_AFTER_S", 0.6)
    async with keeping(bench, *await claim(bench, "a")):
        block_the_loop(redis_server.url, lambda _: len(logs) == 1)
        await outlived(bench, "a", 0.6)
        block_the_loop(redis_server.url, lambda _: len(logs) == 2)

    assert [entry["action"] for entry in logs] == ["event_loop_blocked"] * 2


async def test_a_free_loop_is_not_called_blocked(bench: QueueBench, logs: list[Any]) -> None:
    async with keeping(bench, *await claim(bench, "a")):
        await outlived(bench, "a")

    assert logs == []


@pytest.mark.parametrize("fault", ["restarted", "killed", "frozen"])
async def test_leases_are_renewed_after_redis_was_away(own_redis: EmbeddedRedis, fault: str) -> None:
    async with bench_on(own_redis) as bench:
        jobs = await claim(bench, "a")
        async with keeping(bench, *jobs) as (_, told):
            await outlived(bench, "a", 0.3)
            match fault:
                case "restarted":
                    await own_redis.restart()
                case "killed":
                    await own_redis.kill()
                    await own_redis.start()
                case _:
                    own_redis.freeze()
                    await _let_a_lease_pass()
                    own_redis.thaw()

            await outlived(bench, "a")

            assert told == []
            assert (await bench.claim("other", lease_ms=1_000)).jobs == []
        assert await bench.finish(jobs[0])


async def _let_a_lease_pass() -> None:
    until = time.monotonic() + 1.5 * LEASE_S
    await eventually(lambda: time.monotonic() > until)


async def test_closing_ends_the_thread(bench: QueueBench) -> None:
    async with keeping(bench) as (keeper, _):
        thread = keeper._thread
        assert thread.is_alive()

    assert not thread.is_alive()


async def test_an_error_that_ends_the_thread_is_told() -> None:
    def broken() -> SyncRedis:
        raise ValueError("no such server")

    keeper = LeaseKeeper(broken, LEASE_S, lambda leases: None)
    try:
        with pytest.raises(ValueError, match="no such server"):
            await asyncio.wait_for(keeper.failed, 5)
    finally:
        await keeper.close()
