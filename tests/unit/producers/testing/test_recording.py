from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers import SyncHospitalProducer
from producers.testing import RecordingProducer
from worker.contract import (
    AMEND_HOSPITAL,
    BULK_QUEUE,
    DEFAULT_QUEUE,
    INGEST_HOSPITAL,
    INGEST_HOSPITALS,
    REGISTER_HOSPITAL,
    HospitalChanges,
    HospitalRecord,
    IngestHospital,
    IngestHospitals,
    IngestOutcome,
    RegisterHospital,
    RegistrationOutcome,
)
from worker.contract.actions import Action
from worker.errors import ConfigurationError, InvalidPayload, QueueFull, RemoteError

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
BY: dict[str, Any] = {"actor": "dr-ito", "reason": "licence 4711"}


@pytest.fixture
def producer() -> RecordingProducer:
    return RecordingProducer()


async def test_each_job_is_recorded_with_what_a_worker_would_read(producer: RecordingProducer) -> None:
    await producer.register_hospital(MERCY, **BY, idempotency_key="key", delay=60)
    await producer.ingest_hospitals([MERCY, {"hospital_name": "Grace"}], on_existing="merge")
    await producer.amend_hospital("cms:1", HospitalChanges(beds=None), **BY)

    registered, ingested, amended = producer.jobs
    assert (registered.spec, registered.job_id) == (REGISTER_HOSPITAL, "register_hospital:key")
    assert (registered.idempotency_key, registered.delay, registered.batch) == ("key", 60, "")
    assert registered.payload == RegisterHospital(record=MERCY, **BY)
    assert registered.state == "deferred"
    assert (ingested.spec, ingested.idempotency_key, ingested.delay) == (INGEST_HOSPITALS, None, 0)
    assert ingested.spec.queue == BULK_QUEUE
    assert ingested.state == "queued"
    (changed,) = producer.payloads(AMEND_HOSPITAL)
    assert amended.payload == changed
    assert changed.changes.model_fields_set == {"beds"}
    assert producer.payloads(INGEST_HOSPITAL) == []


async def test_an_instant_is_a_delay(producer: RecordingProducer) -> None:
    await producer.ingest_hospital(MERCY, run_at=datetime.now(UTC) + timedelta(hours=1))
    (job,) = producer.jobs
    assert 3_500 < job.delay <= 3_600


async def test_what_is_invalid_is_refused_and_not_recorded(producer: RecordingProducer) -> None:
    with pytest.raises(InvalidPayload, match="actor"):
        await producer.register_hospital(MERCY, actor="", reason="r")
    with pytest.raises(InvalidPayload, match=r"records\[1\]\.beds"):
        await producer.ingest_hospitals([MERCY, {"hospital_name": "Grace", "beds": -1}])
    with pytest.raises(InvalidPayload, match="idempotency_key"):
        await producer.ingest_hospital(MERCY, idempotency_key="with space")
    with pytest.raises(InvalidPayload, match="give either"):
        await producer.ingest_hospital(MERCY, delay=1, run_at=datetime.now(UTC))
    assert producer.jobs == []


async def test_an_answer_ends_jobs_of_its_kind(producer: RecordingProducer) -> None:
    def registered(payload: RegisterHospital) -> RegistrationOutcome:
        return RegistrationOutcome(hospital_id=payload.record.hospital_id, status="registered", log_id="log")

    producer.respond(REGISTER_HOSPITAL, registered)
    producer.respond(INGEST_HOSPITAL, IngestOutcome(hospital_id="cms:1", status="same"))
    receipt = await producer.register_hospital(MERCY, **BY)
    ingested = await producer.ingest_hospital(MERCY)

    assert (await receipt.outcome(timeout=10)).hospital_id == "cms:1"
    assert (await ingested.outcome(timeout=10)).status == "same"
    status = await producer.status(receipt.job_id)
    assert (status.state, status.tries) == ("done", 1)
    assert [job.state for job in producer.jobs] == ["done", "done"]


async def test_an_exception_makes_a_dead_letter(producer: RecordingProducer) -> None:
    producer.respond(INGEST_HOSPITAL, ValueError("no beds"))
    receipt = await producer.ingest_hospital(MERCY)
    with pytest.raises(RemoteError, match=r"^ValueError: no beds$"):
        await receipt.outcome(timeout=10)
    status = await producer.status(receipt.job_id)
    assert (status.state, status.error) == ("dead", "ValueError: no beds")


async def test_a_deferred_job_is_not_answered(producer: RecordingProducer) -> None:
    producer.respond(INGEST_HOSPITAL, IngestOutcome(hospital_id="cms:1", status="same"))
    receipt = await producer.ingest_hospital(MERCY, delay=60)
    with pytest.raises(TimeoutError, match="still deferred"):
        await receipt.outcome(timeout=10)


async def test_a_batch_completes_with_the_answers(producer: RecordingProducer) -> None:
    producer.respond(INGEST_HOSPITALS, ValueError("all of them"))
    batch = producer.batch("b")
    await batch.create((REGISTER_HOSPITAL, RegisterHospital(record=MERCY, **BY)))
    await batch.add(INGEST_HOSPITALS, [IngestHospitals(records=[MERCY])], keys=["0"])
    await batch.seal()

    progress = await batch.wait(timeout=10)
    assert (progress.state, progress.total, progress.dead) == ("finished", 1, 1)
    assert [job.batch for job in producer.jobs] == ["b", "b"]
    assert producer.payloads(REGISTER_HOSPITAL)[0].actor == "dr-ito"
    assert [job.idempotency_key for job in producer.jobs] == [None, None]


async def test_acts_are_recorded(producer: RecordingProducer) -> None:
    act = Action(actor="dr-ito", act="cancel", target="import")
    await producer.record_action(act)
    assert producer.actions == [act]


def test_it_serves_code_without_an_event_loop(producer: RecordingProducer) -> None:
    with SyncHospitalProducer(producer) as blocking:
        receipts = blocking.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 3)
        assert [receipt.state for receipt in receipts] == ["new"] * 3
    assert len(producer.jobs) == 3


async def test_a_bounded_queue_takes_so_many_jobs_and_says_its_numbers(producer: RecordingProducer) -> None:
    producer.bound_queues({DEFAULT_QUEUE: 3})
    await producer.ingest_hospital(MERCY, delay=60)
    await producer.ingest_hospital(MERCY, idempotency_key="key")

    with pytest.raises(QueueFull) as raised:
        await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 3)

    full = raised.value
    assert (full.queue, full.waiting, full.bound, full.enqueued) == (DEFAULT_QUEUE, 3, 3, 1)
    assert len(producer.jobs) == 3
    # It is known, and another queue has room.
    assert (await producer.ingest_hospital(MERCY, idempotency_key="key")).state == "queued"
    assert (await producer.ingest_hospitals([MERCY])).state == "new"


async def test_jobs_that_have_ended_leave_room(producer: RecordingProducer) -> None:
    producer.bound_queues({DEFAULT_QUEUE: 1})
    producer.respond(INGEST_HOSPITAL, IngestOutcome(hospital_id="cms:1", status="same"))
    for _ in range(3):
        await producer.ingest_hospital(MERCY)
    receipt = await producer.register_hospital(MERCY, **BY)
    with pytest.raises(QueueFull):
        await producer.ingest_hospital(MERCY)
    await receipt.abort()
    assert (await producer.ingest_hospital(MERCY)).state == "new"


@pytest.mark.parametrize("bound", [5, 300])
async def test_a_call_that_does_not_fit_says_how_many_of_its_jobs_did(
    producer: RecordingProducer, bound: int
) -> None:
    """Jobs go to the queue in groups of 250, one after the other if it is bounded."""
    producer.bound_queues({DEFAULT_QUEUE: bound})
    with pytest.raises(QueueFull, match=f"only the first {bound} of this call were enqueued"):
        await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 600)
    assert len(producer.jobs) == bound


async def test_a_bound_is_lifted_by_a_later_call(producer: RecordingProducer) -> None:
    producer.bound_queues({DEFAULT_QUEUE: 1})
    producer.bound_queues({})
    assert len(await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 3)) == 3


def test_a_misspelled_queue_bounds_nothing_and_is_refused(producer: RecordingProducer) -> None:
    with pytest.raises(ConfigurationError, match="QUEUE_BOUNDS: each queue must be"):
        producer.bound_queues({"arq:queue:blk": 1})


async def test_bounds_of_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_BOUNDS", f"{DEFAULT_QUEUE}=1")
    producer = RecordingProducer()
    assert len(await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 3)) == 3


def test_the_client_without_an_event_loop_is_held_back_too(producer: RecordingProducer) -> None:
    producer.bound_queues({DEFAULT_QUEUE: 700})
    with SyncHospitalProducer(producer) as blocking, pytest.raises(QueueFull) as raised:
        blocking.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 1_000)
    assert (raised.value.enqueued, len(producer.jobs)) == (700, 700)
