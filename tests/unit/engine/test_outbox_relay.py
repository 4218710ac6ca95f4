"""When a worker relays, what tells it of work, and what it does if it is not told; on a simulated Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.ending_worker import EndingWorker
from tests.support.lua import needs_lua
from tests.support.outbox import NOW, MemoryOutbox
from tests.support.waiting import until
from tests.unit.engine.conftest import WORKER_ID, KeptEvents
from worker.contract import DEFAULT_QUEUE
from worker.contract.outbox import OutboxJob
from worker.engine import outbox_relay
from worker.engine.context import EngineContext
from worker.engine.events import OutboxHeldUp
from worker.engine.outbox_relay import OutboxRelay
from worker.engine.shutdown import cancel
from worker.errors import OutageError, TransientError
from worker.queue import keys
from worker.queue.fleet_lock import FleetLock
from worker.queue.heartbeats import OutboxState

pytestmark = needs_lua

# Nothing is found by looking at all hospitals again.
_NEVER_S = 3_600.0


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@asynccontextmanager
async def relaying(context: EngineContext, outbox: MemoryOutbox) -> AsyncIterator[OutboxRelay]:
    relay = OutboxRelay(context, outbox)
    loops = (relay.keep_lock(), relay.watch(), relay.measure(), relay.work())
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield relay
        assert not any(task.done() for task in tasks)
    finally:
        await cancel(*tasks)


async def expect_queued(redis: ArqRedis, *jobs: OutboxJob) -> None:
    for job in jobs:
        await until(lambda: redis.zscore(DEFAULT_QUEUE, job.job_id))  # noqa: B023 (awaited right here)


@pytest.fixture
def told_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_relay, "_SWEEP_S", _NEVER_S)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_relay, "_SWEEP_S", 0.1)
    monkeypatch.setattr(outbox_relay, "_RENEW_S", 0.05)


async def settled(relay: OutboxRelay, outbox: MemoryOutbox) -> None:
    """Wait until the relay watches, and has looked at all hospitals since."""
    await outbox.watching.wait()
    await until(lambda: not relay._sweep_wanted and not relay._sweeping)


async def test_what_was_added_before_the_relay_began_is_found(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, told_only: None
) -> None:
    jobs = [outbox.add(hospital, told=False) for hospital in "abcdefgh"]

    async with relaying(context, outbox):
        await expect_queued(redis, *jobs)


async def test_an_added_job_is_notified(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, told_only: None
) -> None:
    async with relaying(context, outbox) as relay:
        await settled(relay, outbox)
        job = outbox.add("a")

        await expect_queued(redis, job)


async def test_the_end_of_a_job_is_notified(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, told_only: None
) -> None:
    outbox.add("a", told=False)
    later = outbox.add("a", told=False)
    async with relaying(context, outbox):
        worker = EndingWorker(redis)
        await until(worker.end_all)

        await expect_queued(redis, later)
        assert outbox.left() == [later.job_id]


async def test_a_job_of_which_nothing_is_told_is_found_by_looking(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, quick: None
) -> None:
    async with relaying(context, outbox) as relay:
        await settled(relay, outbox)
        job = outbox.add("a", told=False)

        await expect_queued(redis, job)


async def test_a_lost_change_stream_costs_a_look_at_all_hospitals_and_no_job(
    redis: ArqRedis, context: EngineContext, events: KeptEvents, outbox: MemoryOutbox, told_only: None
) -> None:
    async with relaying(context, outbox) as relay:
        await settled(relay, outbox)
        lost = TransientError("MongoDB refused a command: error (286)")
        outbox.errors |= {"next_added": lost, "added": lost}
        await until(lambda: events.of(OutboxHeldUp))
        job = outbox.add("a", told=False)

        await expect_queued(redis, job)
        outbox.errors.clear()
        await settled(relay, outbox)
        another = outbox.add("b")
        await expect_queued(redis, another)
    (reported,) = events.of(OutboxHeldUp)
    assert "286" in reported.reason


@pytest.mark.parametrize("method", ["page", "find", "envelopes", "remove"])
async def test_an_outage_of_mongodb_is_outlived(
    redis: ArqRedis, context: EngineContext, events: KeptEvents, outbox: MemoryOutbox, quick: None, method: str
) -> None:
    first, later = outbox.add("a"), outbox.add("a")
    outbox.errors[method] = OutageError("MongoDB cannot be reached")
    worker = EndingWorker(redis)

    async def is_held_up() -> bool:
        # A call fails that needs a job to have ended.
        await worker.end_all()
        return bool(events.of(OutboxHeldUp))

    async def is_empty() -> bool:
        await worker.end_all()
        return not outbox.left()

    async with relaying(context, outbox):
        await until(is_held_up)
        outbox.errors.clear()
        await until(is_empty)
    assert events.of(OutboxHeldUp)[0].reason.endswith("MongoDB cannot be reached")
    assert await redis.exists(keys.RESULT + first.job_id, keys.RESULT + later.job_id) == 2


async def test_an_outage_of_redis_is_outlived(
    redis: ArqRedis,
    context: EngineContext,
    events: KeptEvents,
    outbox: MemoryOutbox,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: Any) -> bool:
        raise RedisConnectionError("secret")

    async with relaying(context, outbox) as relay:
        await settled(relay, outbox)
        with monkeypatch.context() as patch:
            patch.setattr(FleetLock, "extend", fail)
            patch.setattr(context.scripts, "enqueue", fail)
            await until(lambda: not relay._relays.is_set())
            job = outbox.add("a", told=False)

        await expect_queued(redis, job)


async def test_one_worker_relays_at_a_time(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, quick: None
) -> None:
    await redis.set(keys.OUTBOX_RELAY, "another", px=60_000)
    job = outbox.add("a")
    async with relaying(context, outbox) as relay:
        await until(lambda: redis.exists(keys.OUTBOX_RELAY))
        assert not relay._relays.is_set()
        assert await redis.zscore(DEFAULT_QUEUE, job.job_id) is None
        # The other one has died.
        await redis.delete(keys.OUTBOX_RELAY)

        await expect_queued(redis, job)
        assert await redis.get(keys.OUTBOX_RELAY) == WORKER_ID.encode()
        assert 0 < await redis.pttl(keys.OUTBOX_RELAY) <= 3_000
        # It was frozen, and another one has begun.
        await redis.set(keys.OUTBOX_RELAY, "another", px=60_000)
        await until(lambda: not relay._relays.is_set())
    assert await redis.get(keys.OUTBOX_RELAY) == b"another"


async def test_the_worker_that_relays_knows_what_is_in_the_outbox(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "_MEASURE_S", 0.01)
    await redis.set(keys.OUTBOX_RELAY, "another", px=60_000)
    for hospital in "abcd":
        outbox.add(hospital, f"close_hospital:outbox:{hospital}")
    outbox.add("z")
    outbox.unreadable = 2
    async with relaying(context, outbox) as relay:
        before = relay.state
        await redis.delete(keys.OUTBOX_RELAY)

        await until(lambda: relay.state is not None and relay.state.skipped)
        assert before is None
        assert relay.state == OutboxState(jobs=5, oldest_due=NOW, skipped=4, unreadable=2)
        # A newer worker has enqueued them, and an operator has removed the documents.
        outbox.jobs.clear()
        outbox.unreadable = 0
        await until(lambda: relay.state == OutboxState(jobs=0))
        await redis.set(keys.OUTBOX_RELAY, "another", px=60_000)
        await until(lambda: relay.state is None)


async def test_a_worker_that_stops_releases_the_lock(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox
) -> None:
    async with relaying(context, outbox):
        await until(lambda: redis.exists(keys.OUTBOX_RELAY))

    assert not await redis.exists(keys.OUTBOX_RELAY)


async def test_very_many_added_jobs_are_found_by_looking(
    redis: ArqRedis, context: EngineContext, outbox: MemoryOutbox, told_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "_MOST_ADDED", 2)
    async with relaying(context, outbox) as relay:
        await settled(relay, outbox)
        jobs = [outbox.add(hospital, told=False) for hospital in "abc"]
        relay._note_added(jobs)

        await expect_queued(redis, *jobs)
