"""A full queue of a producer for tests answers as that of the real producer does: the same calls on both."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from producers.client import HospitalProducer
from producers.testing import InlineProducer, PrivateMongo, RecordingProducer
from tests.integration.producers.conftest import a_later_call
from worker.contract import (
    DEFAULT_QUEUE,
    INGEST_HOSPITAL,
    REGISTER_HOSPITAL,
    HospitalRecord,
    IngestHospital,
    RegisterHospital,
)
from worker.embedded import EmbeddedRedis
from worker.errors import KeyUsedTwice, QueueFull
from worker.settings import load_settings

BOUNDS = {DEFAULT_QUEUE: 3}
MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
BY: dict[str, Any] = {"actor": "dr-ito", "reason": "licence 4711"}


@pytest_asyncio.fixture(params=["real", "recording"])
async def bounded(request: pytest.FixtureRequest, own_redis: EmbeddedRedis) -> AsyncIterator[HospitalProducer]:
    """A producer whose jobs wait, three at most."""
    if request.param == "recording":
        recording = RecordingProducer()
        recording.bound_queues(BOUNDS)
        yield recording
        return
    settings = load_settings(redis_url=own_redis.url, queue_bounds=BOUNDS)
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        yield producer


def payloads(count: int) -> list[IngestHospital]:
    return [IngestHospital(record=MERCY)] * count


async def test_the_numbers_are_those_of_the_real_queue(bounded: HospitalProducer) -> None:
    await bounded.ingest_hospital(MERCY, delay=60)
    await bounded.ingest_hospital(MERCY)
    with pytest.raises(QueueFull) as raised:
        await bounded.enqueue_many(INGEST_HOSPITAL, payloads(3))

    full = raised.value
    assert (full.queue, full.waiting, full.bound, full.enqueued) == (DEFAULT_QUEUE, 3, 3, 1)
    assert (
        str(full) == f"{DEFAULT_QUEUE} is full: 3 jobs wait, and 3 may; only the first 1 of this call were enqueued"
    )
    with pytest.raises(QueueFull, match=r"3 jobs wait, and 3 may; nothing was enqueued$"):
        await bounded.register_hospital(MERCY, **BY)
    assert (await bounded.ingest_hospitals([MERCY])).state == "new"


async def test_a_job_that_the_queue_has_is_answered_though_it_is_full(bounded: HospitalProducer) -> None:
    await bounded.ingest_hospital(MERCY, idempotency_key="key")
    await bounded.enqueue_many(INGEST_HOSPITAL, payloads(2))
    await a_later_call()
    assert (await bounded.ingest_hospital(MERCY, idempotency_key="key")).state == "queued"
    with pytest.raises(KeyUsedTwice):
        await bounded.ingest_hospital(MERCY, on_existing="merge", idempotency_key="key")


async def test_a_batch_has_the_jobs_that_fit_and_its_completion_job_needs_no_room(
    bounded: HospitalProducer,
) -> None:
    batch = bounded.batch("b")
    await batch.create((REGISTER_HOSPITAL, RegisterHospital(record=MERCY, **BY)))
    with pytest.raises(QueueFull) as raised:
        await batch.add(INGEST_HOSPITAL, payloads(4), keys=["0", "1", "2", "3"])
    assert (raised.value.enqueued, (await batch.progress()).total) == (3, 3)

    empty = bounded.batch("empty")
    await empty.create((REGISTER_HOSPITAL, RegisterHospital(record=MERCY, **BY)))
    await empty.seal()
    completion = await bounded.status(empty.completion(REGISTER_HOSPITAL).job_id)
    assert completion.state == "queued"


async def test_what_waits_for_an_inline_producer_fills_its_queue(private_mongo: PrivateMongo) -> None:
    with InlineProducer(private_mongo) as producer:
        producer.bound_queues({DEFAULT_QUEUE: 1})
        for _ in range(3):
            await (await producer.ingest_hospital(MERCY)).outcome(timeout=20)
        deferred = await producer.ingest_hospital(MERCY, delay=3_600)
        with pytest.raises(QueueFull, match="1 jobs wait, and 1 may"):
            await producer.ingest_hospital(MERCY)
        await producer.run_waiting()
        assert (await deferred.outcome(timeout=20)).status == "same"
        assert (await producer.ingest_hospital(MERCY)).state == "new"
