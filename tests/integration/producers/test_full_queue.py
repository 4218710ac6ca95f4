"""What a producer does when as many jobs wait on a queue as `QUEUE_BOUNDS` lets wait there."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.sync import SyncHospitalProducer
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.embedded import EmbeddedRedis
from worker.errors import QueueFull
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts
from worker.settings import Settings, load_settings

BOUND = 5


@pytest.fixture
def settings(own_redis: EmbeddedRedis) -> Settings:
    return load_settings(redis_url=own_redis.url, redis_timeout=1, queue_bounds={DEFAULT_QUEUE: BOUND})


def _records(count: int) -> list[IngestHospital]:
    return [IngestHospital(record=HospitalRecord(hospital_name=f"Hospital {number}")) for number in range(count)]


async def _work(redis: ArqRedis, jobs: int) -> int:
    """Do so many jobs, as fast as they come; returns the most that ever waited."""
    scripts, done, most = Scripts(redis), 0, 0
    while done < jobs:
        most = max(most, await redis.zcard(DEFAULT_QUEUE))
        claim = await scripts.claim("worker:1", 10_000, 1, [(DEFAULT_QUEUE, 1)])
        done += len(claim.jobs)
        await scripts.finish([Completion.done(job, "worker:1") for job in claim.jobs])
        await asyncio.sleep(0)
    return most


async def _names(redis: ArqRedis, jobs: int) -> set[str]:
    """Do so many jobs, one after the other; returns the names of their hospitals."""
    scripts = Scripts(redis)
    names: set[str] = set()
    while len(names) < jobs:
        claim = await scripts.claim("worker:1", 10_000, 1, [(DEFAULT_QUEUE, 1)])
        names |= {orjson.loads(job.payload)["a"][0]["record"]["hospital_name"] for job in claim.jobs}
        await scripts.finish([Completion.done(job, "worker:1") for job in claim.jobs])
        # Room for one job at a time.
        await asyncio.sleep(0.005)
    return names


async def test_a_full_queue_is_said_with_its_numbers(settings: Settings, redis: ArqRedis) -> None:
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        await producer.enqueue_many(INGEST_HOSPITAL, _records(BOUND))
        with pytest.raises(QueueFull) as raised:
            await producer.ingest_hospital(HospitalRecord(hospital_name="One more"))

    full = raised.value
    assert (full.queue, full.waiting, full.bound, full.enqueued) == (DEFAULT_QUEUE, BOUND, BOUND, 0)
    assert str(full) == f"{DEFAULT_QUEUE} is full: 5 jobs wait, and 5 may; nothing was enqueued"
    assert await redis.zcard(DEFAULT_QUEUE) == BOUND


@pytest.mark.parametrize("bound", [BOUND, 600])
async def test_a_call_that_does_not_fit_says_how_many_of_its_jobs_did(
    own_redis: EmbeddedRedis, redis: ArqRedis, bound: int
) -> None:
    settings = load_settings(redis_url=own_redis.url, queue_bounds={DEFAULT_QUEUE: bound})
    payloads = _records(1_000)
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        with pytest.raises(QueueFull, match=f"only the first {bound} of this call were enqueued") as raised:
            await producer.enqueue_many(INGEST_HOSPITAL, payloads)

    assert raised.value.enqueued == bound == await redis.zcard(DEFAULT_QUEUE)
    names = await _names(redis, bound)
    assert names == {payload.record.hospital_name for payload in payloads[:bound]}


@pytest.mark.parametrize("bound", [BOUND, 700])
async def test_a_synchronous_call_that_does_not_fit_says_how_many_of_its_jobs_did(
    own_redis: EmbeddedRedis, redis: ArqRedis, bound: int
) -> None:
    """It takes 500 payloads of the caller's iterator at a time."""
    settings = load_settings(redis_url=own_redis.url, queue_bounds={DEFAULT_QUEUE: bound})
    with (
        SyncHospitalProducer.connect(settings, patience_when_full=0) as producer,
        pytest.raises(QueueFull, match=f"only the first {bound} of this call were enqueued") as raised,
    ):
        producer.enqueue_many(INGEST_HOSPITAL, _records(1_000))

    assert raised.value.enqueued == bound == await redis.zcard(DEFAULT_QUEUE)


async def test_what_a_call_enqueued_while_it_waited_for_room_are_its_first_jobs(
    own_redis: EmbeddedRedis, redis: ArqRedis
) -> None:
    """Of two groups on their way at once, the second would get some of the room that the first waits for."""
    settings = load_settings(redis_url=own_redis.url, queue_bounds={DEFAULT_QUEUE: 300})
    payloads = _records(1_000)
    # Long enough for a busy machine to take 60 jobs.
    async with HospitalProducer.connect(settings, patience_when_full=4) as producer:
        call = asyncio.create_task(producer.enqueue_many(INGEST_HOSPITAL, payloads))
        done = await _names(redis, 60)
        with pytest.raises(QueueFull) as raised:
            await call

    assert raised.value.enqueued == 360
    assert done | await _names(redis, 300) == {payload.record.hospital_name for payload in payloads[:360]}


async def test_a_batch_that_does_not_fit_says_how_many_of_its_jobs_did(
    own_redis: EmbeddedRedis, redis: ArqRedis
) -> None:
    settings = load_settings(redis_url=own_redis.url, queue_bounds={DEFAULT_QUEUE: 300})
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        batch = producer.batch()
        await batch.create()
        with pytest.raises(QueueFull) as raised:
            await batch.add(INGEST_HOSPITAL, _records(400))
        assert (raised.value.enqueued, (await batch.progress()).total) == (300, 300)
    assert await redis.zcard(DEFAULT_QUEUE) == 300


async def test_a_call_that_is_repeated_at_a_full_queue_is_answered(settings: Settings) -> None:
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        first = await producer.ingest_hospital(HospitalRecord(hospital_name="One"), idempotency_key="one")
        await producer.enqueue_many(INGEST_HOSPITAL, _records(BOUND - 1))
        again = await producer.ingest_hospital(HospitalRecord(hospital_name="One"), idempotency_key="one")
    assert (again.job_id, again.state) == (first.job_id, "queued")


async def test_producers_that_wait_enqueue_everything_and_the_bound_holds(
    settings: Settings, redis: ArqRedis
) -> None:
    said: list[QueueFull] = []

    async def produce() -> int:
        async with HospitalProducer.connect(settings, patience_when_full=math.inf, on_full=said.append) as producer:
            return len(await producer.enqueue_many(INGEST_HOSPITAL, _records(100)))

    most, *counts = await asyncio.gather(_work(redis, 400), *(produce() for _ in range(4)))

    assert counts == [100] * 4
    # A job that is claimed is on the queue, too, and does not wait.
    assert 0 < most <= BOUND + 1
    assert {full.queue for full in said} == {DEFAULT_QUEUE}
    # Once for each call that waits, and not for each time it looks.
    assert len(said) <= 4


async def test_a_wait_ends_with_its_patience(settings: Settings) -> None:
    async with HospitalProducer.connect(settings, patience_when_full=0.2) as producer:
        await producer.enqueue_many(INGEST_HOSPITAL, _records(BOUND))
        with pytest.raises(QueueFull):
            await producer.ingest_hospital(HospitalRecord(hospital_name="One more"))


async def test_a_wait_can_be_cancelled(settings: Settings, redis: ArqRedis) -> None:
    said: list[QueueFull] = []
    async with HospitalProducer.connect(settings, patience_when_full=math.inf, on_full=said.append) as producer:
        await producer.enqueue_many(INGEST_HOSPITAL, _records(BOUND))
        waiting = asyncio.create_task(producer.ingest_hospital(HospitalRecord(hospital_name="One more")))
        await until(lambda: said)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await redis.zcard(DEFAULT_QUEUE) == BOUND


async def test_a_stream_waits_too(settings: Settings, redis: ArqRedis) -> None:
    async def payloads() -> AsyncIterator[IngestHospital]:
        for payload in _records(30):
            yield payload

    async def produce(producer: HospitalProducer) -> list[Any]:
        return [receipt async for receipt in producer.enqueue_stream(INGEST_HOSPITAL, payloads())]

    async with HospitalProducer.connect(settings, patience_when_full=math.inf) as producer:
        _, receipts = await asyncio.gather(_work(redis, 30), produce(producer))
    assert len({receipt.job_id for receipt in receipts}) == 30


def test_the_synchronous_producer_raises_it_as_well(settings: Settings) -> None:
    with SyncHospitalProducer.connect(settings, patience_when_full=0) as producer:
        for number in range(BOUND):
            producer.ingest_hospital(HospitalRecord(hospital_name=f"Hospital {number}"))
        with pytest.raises(QueueFull):
            producer.ingest_hospital(HospitalRecord(hospital_name="One more"))
