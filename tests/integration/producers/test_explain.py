"""Why a job is in its state, as a producer reads it from Redis alone."""

import pytest
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.sync import SyncHospitalProducer
from tests.support.ending_worker import EndingWorker
from worker.contract import HospitalRecord
from worker.errors import OutageError
from worker.settings import Settings, load_settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")


async def test_a_job_is_explained_through_its_life(producer: HospitalProducer, redis: ArqRedis) -> None:
    receipt = await producer.ingest_hospital(MERCY, idempotency_key="key")

    explained = await producer.explain(receipt.job_id)
    assert explained.state == "queued"
    assert explained.reason == "waits for a worker: none serves arq:queue"
    assert explained.change == "start a worker that serves arq:queue (WORKER_QUEUES)"

    worker = EndingWorker(redis)
    claimed = await worker.claim()
    assert (await producer.explain(receipt.job_id)).state == "running"
    await worker.end(*claimed)
    done = await producer.explain(receipt.job_id)
    assert (done.state, done.change) == ("done", "nothing: the job is done")


@pytest.mark.parametrize(
    ("job_id", "reason"),
    [
        ("ingest_hospital:never", "is not known: it was never enqueued, or it ended longer ago than"),
        (
            "ingest_hospital:outbox:never",
            "is not known: it was never enqueued, or it waits in the outbox, or it ended longer ago than",
        ),
    ],
)
async def test_a_job_that_redis_does_not_know_is_explained(
    producer: HospitalProducer, job_id: str, reason: str
) -> None:
    explained = await producer.explain(job_id)

    assert explained.state == "unknown"
    assert explained.reason == f"{reason} results are kept (WORKER_KEEP_RESULT)"


async def test_the_synchronous_client_explains_too(settings: Settings) -> None:
    with SyncHospitalProducer.connect(settings) as producer:
        receipt = producer.ingest_hospital(MERCY, delay=3_600)

        explained = producer.explain(receipt.job_id)
    assert explained.state == "deferred"
    assert explained.reason.startswith("is deferred until ")


async def test_without_redis_nothing_is_explained() -> None:
    settings = load_settings(redis_url="redis://127.0.0.1:1/0")
    async with HospitalProducer.connect(settings, patience=0, lazy=True) as producer:
        with pytest.raises(OutageError):
            await producer.explain("ingest_hospital:key")
