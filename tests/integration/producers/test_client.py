from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.receipts import JobStatus, Receipt
from tests.integration.producers.conftest import a_later_call
from worker import contract
from worker.codec import Codec
from worker.contract import (
    BULK_QUEUE,
    DEFAULT_QUEUE,
    INGEST_HOSPITAL,
    HospitalChanges,
    HospitalRecord,
    IngestHospital,
    IngestOutcome,
)
from worker.contract.validation import parse
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.errors import InvalidEnvelope, InvalidPayload, JobNotFound, RemoteError
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.scripts import Scripts
from worker.settings import load_settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
OUTCOME = {"hospital_id": "cms:1", "revision": 1, "status": "created", "reason": None, "token": None}
Put = Callable[[HospitalProducer], Awaitable[Receipt[Any]]]


class Worker:
    """Claims the only waiting job and ends it as the test requests."""

    def __init__(self, redis: ArqRedis) -> None:
        self._scripts = Scripts(redis)
        self.codec = Codec()

    async def claim(self) -> ClaimedJob:
        queues = [(DEFAULT_QUEUE, 1), (BULK_QUEUE, 1)]
        (job,) = (await self._scripts.claim("token", 60_000, 1, queues)).jobs
        return job

    async def end(self, result: object, *, action: Any = "done", record: bytes = b"") -> None:
        job = await self.claim()
        message = self.codec.decode(job.payload) | {
            "t": 2,
            "s": not isinstance(result, BaseException),
            "r": result,
            "st": 1,
            "ft": 2,
            "q": job.queue,
        }
        data = self.codec.encode(message)
        await self._scripts.finish(
            [Completion(job.job_id, job.queue, "token", action, data, 60_000, record=record)]
        )

    async def kill(self, error: Exception) -> None:
        job = await self.claim()
        dead_letter = DeadLetter(
            job_id=job.job_id.decode(),
            function="ingest_hospital",
            queue=job.queue,
            payload=payload_text(job.payload),
            reason="permanent error",
            failure=Failure.of(error, 4, 1),
            crashes=0,
            worker="w",
            enqueued_at=datetime(2025, 6, 30, tzinfo=UTC),
        )
        record = dead_letter.model_dump_json().encode()
        await self._scripts.finish([Completion(job.job_id, job.queue, "token", "dead", record=record)])


@pytest.fixture
def worker(redis: ArqRedis) -> Worker:
    return Worker(redis)


CHANGES = HospitalChanges(beds=7, phone=None)
RECORD_FORM = {"hospital_name": "Mercy", "source": "cms", "external_id": "1"}
CHANGES_FORM = {"beds": 7, "phone": None}
BY: Any = {"actor": "dr-ito", "reason": "licence 4711"}


@pytest.mark.parametrize(
    ("put", "name", "payload"),
    [
        (
            lambda producer: producer.ingest_hospital(MERCY, on_existing="merge"),
            "ingest_hospital",
            {"record": RECORD_FORM, "on_existing": "merge"},
        ),
        (
            lambda producer: producer.ingest_hospitals([MERCY, {"hospital_name": "Grace", "beds": 5}]),
            "ingest_hospitals",
            {"records": [RECORD_FORM, {"hospital_name": "Grace", "beds": 5}], "on_existing": "keep"},
        ),
        (
            lambda producer: producer.correct_hospital("cms:1", CHANGES, revision=2),
            "correct_hospital",
            {"hospital_id": "cms:1", "changes": CHANGES_FORM, "revision": 2},
        ),
        (
            lambda producer: producer.discard_hospital("cms:1", revision=2),
            "discard_hospital",
            {"hospital_id": "cms:1", "revision": 2},
        ),
        (
            lambda producer: producer.register_hospital(MERCY, **BY),
            "register_hospital",
            {"record": RECORD_FORM, **BY},
        ),
        (
            lambda producer: producer.amend_hospital("cms:1", CHANGES, revision=2, **BY),
            "amend_hospital",
            {"hospital_id": "cms:1", "changes": CHANGES_FORM, "revision": 2, **BY},
        ),
        (
            lambda producer: producer.withdraw_hospital("cms:1", **BY),
            "withdraw_hospital",
            {"hospital_id": "cms:1", "revision": None, **BY},
        ),
    ],
)
async def test_each_method_enqueues_its_job_on_its_queue(
    producer: HospitalProducer, redis: ArqRedis, put: Put, name: str, payload: dict[str, Any]
) -> None:
    receipt = await put(producer)

    spec = contract.JOBS[name]
    assert receipt.state == "new"
    assert receipt.job_id.startswith(f"{name}:")
    assert await redis.zscore(spec.queue, receipt.job_id) is not None
    envelope = Codec().decode(await redis.get(keys.JOB + receipt.job_id))
    assert (envelope["f"], envelope["a"], envelope["k"], envelope["t"]) == (name, [payload], {}, None)
    # The worker accepts the payload that was sent.
    parse(spec.payload, envelope["a"][0])


async def test_a_delay_defers_the_job(producer: HospitalProducer) -> None:
    receipt = await producer.enqueue(INGEST_HOSPITAL, IngestHospital(record=MERCY), delay=60)

    assert (await producer.status(receipt.job_id)).state == "deferred"


async def test_many_jobs_are_enqueued_in_groups_and_in_order(producer: HospitalProducer, redis: ArqRedis) -> None:
    records = [HospitalRecord(hospital_name=f"H {number}") for number in range(1_203)]

    receipts = await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=record) for record in records])

    assert {receipt.state for receipt in receipts} == {"new"}
    assert await redis.zcard(DEFAULT_QUEUE) == 1_203
    for number in (0, 499, 500, 1_202):
        envelope = Codec().decode(await redis.get(keys.JOB + receipts[number].job_id))
        assert envelope["a"][0]["record"]["hospital_name"] == f"H {number}"
    assert await producer.enqueue_many(INGEST_HOSPITAL, []) == []


# ---- idempotency ----------------------------------------------------------------------------------------


async def test_equal_keys_make_one_job_and_return_its_state(producer: HospitalProducer, worker: Worker) -> None:
    async def put() -> str | None:
        await a_later_call()
        return (await producer.ingest_hospital(MERCY, idempotency_key="order-1")).state

    assert [await put(), await put()] == ["new", "queued"]
    await worker.end(OUTCOME)
    assert await put() == "done"
    earlier = await producer.ingest_hospital(MERCY, idempotency_key="order-1")
    assert (await earlier.outcome(timeout=0)).hospital_id == "cms:1"


async def test_the_same_key_can_be_used_for_each_kind_of_job(producer: HospitalProducer, redis: ArqRedis) -> None:
    await producer.ingest_hospital(MERCY, idempotency_key="k")
    receipt = await producer.register_hospital(MERCY, **BY, idempotency_key="k")

    assert (receipt.job_id, receipt.state) == ("register_hospital:k", "new")
    assert await redis.zcard(DEFAULT_QUEUE) == 2


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201, "a\n", "a\x00"])
async def test_an_invalid_key_is_refused(producer: HospitalProducer, redis: ArqRedis, key: str) -> None:
    with pytest.raises(InvalidPayload, match="idempotency_key"):
        await producer.ingest_hospital(MERCY, idempotency_key=key)
    assert await redis.zcard(DEFAULT_QUEUE) == 0


# ---- outcomes -------------------------------------------------------------------------------------------


async def test_the_outcome_is_typed(producer: HospitalProducer, worker: Worker) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await worker.end(OUTCOME)

    assert await receipt.outcome(timeout=5) == IngestOutcome(hospital_id="cms:1", revision=1, status="created")
    again = producer.receipt(INGEST_HOSPITAL, receipt.job_id)
    assert (await again.outcome(timeout=0)).status == "created"
    status = await producer.status(receipt.job_id)
    assert (status.state, status.tries, status.outcome, status.error) == ("done", 2, OUTCOME, None)
    assert status.enqueued_at is not None
    assert abs((datetime.now(UTC) - status.enqueued_at).total_seconds()) < 60


@pytest.mark.parametrize("result", [{}, "done", {**OUTCOME, "status": "s3cret"}])
async def test_an_outcome_of_another_form_is_refused_without_its_values(
    producer: HospitalProducer, worker: Worker, result: object
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await worker.end(result)

    with pytest.raises(InvalidEnvelope, match=f"{receipt.job_id} has ended, but its result is not") as caught:
        await receipt.outcome(timeout=5)
    assert "s3cret" not in str(caught.value)


async def test_a_failed_job_raises_its_error(producer: HospitalProducer, worker: Worker) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await worker.end(ValueError("no beds"))

    with pytest.raises(RemoteError, match=r"^ValueError: no beds$"):
        await receipt.outcome(timeout=5)
    status = await producer.status(receipt.job_id)
    assert (status.state, status.error, status.outcome) == ("failed", "ValueError: no beds", None)


async def test_a_dead_letter_raises_its_error_without_a_kept_result(
    producer: HospitalProducer, worker: Worker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await worker.kill(KeyError("beds"))

    with pytest.raises(RemoteError) as caught:
        await receipt.outcome(timeout=5)
    assert (caught.value.kind, caught.value.message) == ("KeyError", "'beds'")
    assert await producer.status(receipt.job_id) == JobStatus(
        receipt.job_id, "dead", 4, error="KeyError: 'beds'", enqueued_at=datetime(2025, 6, 30, tzinfo=UTC)
    )


async def test_a_job_that_takes_longer_raises_a_timeout(producer: HospitalProducer, worker: Worker) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    with pytest.raises(TimeoutError, match=f"{receipt.job_id}: still queued after 0.02 s"):
        await receipt.outcome(timeout=0.02)
    await worker.claim()
    with pytest.raises(TimeoutError, match="still running after 0 s"):
        await receipt.outcome(timeout=0)


async def test_a_worker_that_claims_a_job_sees_that_its_abort_was_requested(
    producer: HospitalProducer, worker: Worker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await receipt.abort()
    claimed = await worker.claim()
    assert claimed.abort_ms >= claimed.score - 1_000


async def test_an_unknown_job_is_reported(producer: HospitalProducer) -> None:
    with pytest.raises(JobNotFound, match=r"^ingest_hospital:never: no such job"):
        await producer.receipt(INGEST_HOSPITAL, "ingest_hospital:never").outcome(timeout=5)
    assert await producer.status("ingest_hospital:never") == JobStatus("ingest_hospital:never", "unknown", 0)


# ---- signing --------------------------------------------------------------------------------------------


async def test_signed_jobs_and_results_are_read_with_the_key(own_redis: EmbeddedRedis) -> None:
    signing = load_settings(redis_url=own_redis.url, queue_signing_keys="k1:0123456789abcdef")
    codec = Codec(signing.signing_secrets())
    async with HospitalProducer.connect(signing, patience=5) as producer:
        receipt = await producer.ingest_hospital(MERCY)
        redis = open_arq_redis(signing, codec)
        worker = Worker(redis)
        worker.codec = codec
        stored = await redis.get(keys.JOB + receipt.job_id)
        assert stored.startswith(b"hmac-sha256:k1:")
        assert codec.decode(stored)["f"] == "ingest_hospital"
        await worker.end(OUTCOME)
        assert (await receipt.outcome(timeout=5)).hospital_id == "cms:1"
        await redis.aclose(close_connection_pool=True)
