"""How jobs move from the outbox to their queues and out of it, on a simulated Redis and an outbox in memory."""

import asyncio
import dataclasses

import pytest
from arq.connections import ArqRedis

from tests.support.ending_worker import EndingWorker
from tests.support.lua import needs_lua
from tests.support.outbox import MemoryOutbox
from tests.unit.engine.conftest import KeptEvents
from worker.contract import DEFAULT_QUEUE
from worker.engine.context import EngineContext
from worker.engine.events import OutboxJobSkipped
from worker.engine.outbox_steps import OutboxSteps
from worker.queue import keys

pytestmark = needs_lua


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
def worker(redis: ArqRedis) -> EndingWorker:
    return EndingWorker(redis)


@pytest.fixture
def steps(context: EngineContext, outbox: MemoryOutbox) -> OutboxSteps:
    return OutboxSteps(context, outbox)


async def look_at_all(steps: OutboxSteps, outbox: MemoryOutbox) -> None:
    """Look at the first job of every hospital, and go on until there is nothing to do."""
    after = None
    while True:
        page = await outbox.page(after)
        steps.look_at(page.heads)
        if (after := page.last) is None:
            break
    while steps.has_work:
        await steps.step()


async def go_on(steps: OutboxSteps) -> None:
    await steps.take_ended()
    while steps.has_work:
        await steps.step()


async def queued(redis: ArqRedis) -> list[str]:
    return sorted(job_id.decode() for job_id in await redis.zrange(DEFAULT_QUEUE, 0, -1))


async def test_the_next_job_of_a_hospital_is_enqueued_when_the_one_before_has_ended(
    redis: ArqRedis, worker: EndingWorker, outbox: MemoryOutbox, steps: OutboxSteps
) -> None:
    first, second = outbox.add("a"), outbox.add("a")
    other = outbox.add("b")

    await look_at_all(steps, outbox)
    assert await queued(redis) == [first.job_id, other.job_id]
    (running,) = [job for job in await worker.claim() if job.job_id.decode() == first.job_id]
    await look_at_all(steps, outbox)
    assert second.job_id not in await queued(redis)
    await worker.end(running)
    await go_on(steps)

    assert second.job_id in await queued(redis)
    assert outbox.left() == [second.job_id, other.job_id]


async def test_a_job_goes_to_the_queue_of_its_source(
    redis: ArqRedis, outbox: MemoryOutbox, context: EngineContext
) -> None:
    by_code, by_name = outbox.add("cms:1"), outbox.add("name:mercy SOURCE cms CITY aveda")
    others = [outbox.add(hospital_id) for hospital_id in ("name:mercy CITY aveda", "nhs:1")]
    context = dataclasses.replace(context, source_queues={"cms": "arq:queue:cms"})

    await look_at_all(OutboxSteps(context, outbox), outbox)

    assert await queued(redis) == sorted(job.job_id for job in others)
    cms = await redis.zrange("arq:queue:cms", 0, -1)
    assert sorted(job_id.decode() for job_id in cms) == sorted([by_code.job_id, by_name.job_id])


async def test_every_job_of_many_hospitals_is_run_once_and_in_order(
    redis: ArqRedis, worker: EndingWorker, outbox: MemoryOutbox, steps: OutboxSteps
) -> None:
    for hospital in "abcdefgh":
        for _ in range(5):
            outbox.add(hospital)
    expected = outbox.left()
    await look_at_all(steps, outbox)

    ran: list[str] = []
    while jobs := await worker.claim():
        assert len(jobs) == 8
        ran += [job.job_id.decode() for job in jobs]
        await worker.end(*jobs)
        await go_on(steps)

    assert sorted(ran) == expected
    assert [job for job in ran if "outbox:a-" in job] == expected[:5]
    assert outbox.left() == []


async def test_a_job_that_has_ended_is_not_run_again_when_its_outcome_is_gone(
    redis: ArqRedis, worker: EndingWorker, context: EngineContext, outbox: MemoryOutbox, steps: OutboxSteps
) -> None:
    """A relay died after it had enqueued a job, and the next one begins after `WORKER_KEEP_RESULT`."""
    job = outbox.add("a")
    await look_at_all(steps, outbox)
    await worker.end_all()
    await redis.delete(keys.RESULT + job.job_id)

    await look_at_all(OutboxSteps(context, outbox), outbox)

    assert await queued(redis) == []
    assert outbox.left() == []


async def test_a_dead_letter_has_ended(redis: ArqRedis, outbox: MemoryOutbox, steps: OutboxSteps) -> None:
    job, later = outbox.add("a"), outbox.add("a")
    await redis.hset(keys.DEAD, job.job_id, "a dead letter of an earlier version, without a digest")

    await look_at_all(steps, outbox)

    assert await queued(redis) == [later.job_id]


async def test_a_job_that_redis_has_lost_is_enqueued_again(
    redis: ArqRedis, outbox: MemoryOutbox, steps: OutboxSteps
) -> None:
    job = outbox.add("a")
    await look_at_all(steps, outbox)
    await redis.delete(keys.JOB + job.job_id, DEFAULT_QUEUE)

    await look_at_all(steps, outbox)

    assert await queued(redis) == [job.job_id]


async def test_an_added_job_waits_for_one_that_is_still_in_the_outbox(
    redis: ArqRedis, worker: EndingWorker, outbox: MemoryOutbox, steps: OutboxSteps
) -> None:
    first, second = outbox.add("a"), outbox.add("a")

    await steps.take_added([second])
    assert not steps.has_work
    await steps.take_added([first])
    await go_on(steps)
    assert await queued(redis) == [first.job_id]
    await worker.end_all()
    await go_on(steps)
    third = outbox.add("a")
    await worker.end_all()
    await go_on(steps)
    await steps.take_added([third])
    await go_on(steps)

    assert await queued(redis) == [third.job_id]


async def test_a_job_of_an_unknown_kind_stays_and_is_reported_once(
    redis: ArqRedis, events: KeptEvents, outbox: MemoryOutbox, steps: OutboxSteps
) -> None:
    outbox.add("a", "close_hospital:outbox:1")
    known = outbox.add("b")

    for _ in range(2):
        await look_at_all(steps, outbox)

    assert await queued(redis) == [known.job_id]
    assert "close_hospital:outbox:1" in outbox.left()
    assert events.of(OutboxJobSkipped) == [
        OutboxJobSkipped("close_hospital:outbox:1", "this version has no such kind of job")
    ]


async def test_two_relays_at_once_enqueue_each_job_once(
    redis: ArqRedis, worker: EndingWorker, context: EngineContext, outbox: MemoryOutbox
) -> None:
    for hospital in "abc":
        for _ in range(4):
            outbox.add(hospital)
    expected = outbox.left()
    relays = [OutboxSteps(context, outbox), OutboxSteps(context, outbox)]
    await asyncio.gather(*(look_at_all(relay, outbox) for relay in relays))

    ran: list[str] = []
    while jobs := await worker.claim():
        ran += [job.job_id.decode() for job in jobs]
        await worker.end(*jobs)
        # Each is told of the end, and one has not noticed yet what the other does.
        await asyncio.gather(*(go_on(relay) for relay in relays))

    assert sorted(ran) == expected
    assert outbox.left() == []


async def test_a_delayed_job_is_deferred(redis: ArqRedis, outbox: MemoryOutbox, steps: OutboxSteps) -> None:
    job = outbox.add("a", delay_ms=60_000)
    outbox.jobs[job.place] = job._replace(due=job.due.replace(year=2100))

    await look_at_all(steps, outbox)

    seconds, _ = await redis.time()
    score = await redis.zscore(DEFAULT_QUEUE, job.job_id)
    assert score is not None
    assert score > seconds * 1000 + 30_000
