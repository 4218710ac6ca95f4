"""Where a producer puts the jobs of a source with a queue of its own (`SOURCE_QUEUES`), and finds them again."""

from typing import Any

import pytest
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.sync import SyncHospitalProducer
from tests.integration.producers.conftest import a_later_call
from tests.support.ending_worker import OUTCOME
from worker.codec import Codec
from worker.contract import (
    BULK_QUEUE,
    DEFAULT_QUEUE,
    INGEST_HOSPITAL,
    INGEST_HOSPITALS,
    HospitalChanges,
    HospitalRecord,
    IngestHospital,
    IngestHospitals,
)
from worker.embedded import EmbeddedRedis
from worker.errors import KeyUsedTwice, QueueFull
from worker.queue import keys
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts
from worker.settings import Settings, load_settings

CMS_QUEUE = "arq:queue:cms"
CMS = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
NHS = HospitalRecord(hospital_name="Grace", source="nhs", external_id="1")
CHANGES = HospitalChanges(beds=7)
BY: Any = {"actor": "dr-ito", "reason": "licence 4711"}
QUEUES = {DEFAULT_QUEUE: None, BULK_QUEUE: None, CMS_QUEUE: 20}


def settings_of(redis: EmbeddedRedis, **more: Any) -> Settings:
    return load_settings(
        redis_url=redis.url, redis_timeout=1, worker_queues=QUEUES, source_queues={"cms": CMS_QUEUE}, **more
    )


@pytest.fixture
def settings(own_redis: EmbeddedRedis) -> Settings:
    return settings_of(own_redis)


async def on(redis: ArqRedis, queue: str) -> list[str]:
    """Return the functions of the jobs on a queue, sorted."""
    return sorted(job_id.decode().partition(":")[0] for job_id in await redis.zrange(queue, 0, -1))


async def test_all_jobs_about_a_source_go_to_its_queue_and_others_to_that_of_their_kind(
    settings: Settings, redis: ArqRedis
) -> None:
    async with HospitalProducer.connect(settings) as producer:
        for record in (CMS, NHS):
            await producer.ingest_hospital(record)
            await producer.ingest_hospitals([record])
            await producer.register_hospital(record, **BY)
            await producer.correct_hospital(record.hospital_id, CHANGES, revision=1)
            await producer.discard_hospital(record.hospital_id, revision=1)
            await producer.amend_hospital(record.hospital_id, CHANGES, **BY)
            await producer.withdraw_hospital(record.hospital_id, **BY)
        many = [IngestHospital(record=record) for record in (CMS, NHS, CMS)]
        await producer.enqueue_many(INGEST_HOSPITAL, many)

    names = ["amend", "correct", "discard", "ingest", "register", "withdraw"]
    single = [f"{name}_hospital" for name in names]
    assert await on(redis, CMS_QUEUE) == sorted([*single, *["ingest_hospital"] * 2, "ingest_hospitals"])
    assert await on(redis, DEFAULT_QUEUE) == sorted([*single, "ingest_hospital"])
    assert await on(redis, BULK_QUEUE) == ["ingest_hospitals"]


def test_the_synchronous_producer_puts_them_there_too(own_redis: EmbeddedRedis, settings: Settings) -> None:
    with SyncHospitalProducer.connect(settings) as producer:
        receipt = producer.ingest_hospital(CMS, delay=60)
        assert producer.status(receipt.job_id).state == "deferred"


async def test_a_job_is_found_and_aborted_and_has_its_outcome_on_the_queue_of_its_source(
    settings: Settings, redis: ArqRedis
) -> None:
    codec, scripts = Codec(), Scripts(redis)
    async with HospitalProducer.connect(settings) as producer:
        deferred = await producer.ingest_hospital(CMS, delay=60)
        assert (await producer.status(deferred.job_id)).state == "deferred"
        await producer.abort(deferred.job_id)
        assert await redis.zscore(keys.ABORT, deferred.job_id) is not None

        receipt = await producer.ingest_hospital(CMS)
        assert (await producer.status(receipt.job_id)).state == "queued"
        (job,) = (await scripts.claim("w:1", 60_000, 1, [(CMS_QUEUE, 1)])).jobs
        assert (await producer.status(receipt.job_id)).state == "running"
        result = codec.decode(job.payload) | {"t": 1, "s": True, "r": OUTCOME, "st": 1, "ft": 2, "q": job.queue}
        await scripts.finish([Completion.done(job, "w:1", result=codec.encode(result), result_life_ms=60_000)])
        assert (await receipt.outcome(timeout=5)).status == "created"


async def test_a_key_names_one_job_whatever_queue_it_is_on(own_redis: EmbeddedRedis, redis: ArqRedis) -> None:
    """As when the setting is introduced while jobs wait, or one producer lacks it."""
    without = load_settings(redis_url=own_redis.url)
    async with HospitalProducer.connect(without) as old, HospitalProducer.connect(settings_of(own_redis)) as new:
        first = await old.ingest_hospital(CMS, idempotency_key="one")
        again = await new.ingest_hospital(CMS, idempotency_key="one")
        assert (again.job_id, again.state) == (first.job_id, "queued")
        with pytest.raises(KeyUsedTwice):
            await new.ingest_hospital(CMS, on_existing="merge", idempotency_key="one")

        second = await new.ingest_hospital(CMS, idempotency_key="two")
        assert (await old.ingest_hospital(CMS, idempotency_key="two")).job_id == second.job_id

    assert (await redis.zcard(DEFAULT_QUEUE), await redis.zcard(CMS_QUEUE)) == (1, 1)


async def test_chunks_of_an_import_go_there_and_are_dropped_there_with_their_batch(
    settings: Settings, redis: ArqRedis
) -> None:
    async with HospitalProducer.connect(settings) as producer:
        batch = producer.batch()
        await batch.create()
        chunks = [
            IngestHospitals(records=[{"hospital_name": "Mercy", "source": source}]) for source in ("cms", "nhs")
        ]
        await batch.add(INGEST_HOSPITALS, chunks)
        assert (await redis.zcard(CMS_QUEUE), await redis.zcard(BULK_QUEUE)) == (1, 1)
        progress = await batch.cancel()

    assert (progress.state, progress.outcomes) == ("cancelled", {"dropped": 2})
    assert (await redis.zcard(CMS_QUEUE), await redis.zcard(BULK_QUEUE)) == (0, 0)


async def test_a_full_queue_of_one_source_holds_no_other_back(own_redis: EmbeddedRedis) -> None:
    settings = settings_of(own_redis, queue_bounds={CMS_QUEUE: 1})
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        await producer.ingest_hospital(CMS)
        with pytest.raises(QueueFull) as full:
            await producer.ingest_hospital(CMS)
        assert (await producer.ingest_hospital(NHS)).state == "new"

    assert (full.value.queue, full.value.bound) == (CMS_QUEUE, 1)


async def test_a_call_that_does_not_fit_has_enqueued_its_first_jobs_alone(
    own_redis: EmbeddedRedis, redis: ArqRedis
) -> None:
    """Those behind the first one without room are not enqueued, although their queue has room."""
    settings = settings_of(own_redis, queue_bounds={CMS_QUEUE: 1})
    records = [NHS] * 250 + [CMS] * 250 + [NHS] * 250
    async with HospitalProducer.connect(settings, patience_when_full=0) as producer:
        with pytest.raises(QueueFull, match="only the first 251 of this call"):
            await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=it) for it in records])

    assert (await redis.zcard(DEFAULT_QUEUE), await redis.zcard(CMS_QUEUE)) == (250, 1)


async def test_a_chunk_of_several_sources_is_one_job_whatever_the_setting_is_later(
    own_redis: EmbeddedRedis, redis: ArqRedis
) -> None:
    """An import is continued by the numbers of its chunks: were their rows others, some would be lost."""
    chunk = IngestHospitals(records=[{"hospital_name": "Mercy", "source": source} for source in ("cms", "nhs")])
    async with HospitalProducer.connect(settings_of(own_redis)) as producer:
        batch = producer.batch()
        await batch.create()
        await batch.add(INGEST_HOSPITALS, [chunk], keys=["0"])
    await a_later_call()
    async with HospitalProducer.connect(load_settings(redis_url=own_redis.url)) as producer:
        continued = producer.batch(batch.id)
        (again,) = await continued.add(INGEST_HOSPITALS, [chunk], keys=["0"])
        assert (again.state, (await continued.progress()).total) == ("queued", 1)

    assert (await redis.zcard(CMS_QUEUE), await redis.zcard(BULK_QUEUE)) == (1, 0)
