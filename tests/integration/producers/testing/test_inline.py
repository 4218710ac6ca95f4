"""Jobs that run in the call that enqueues them, on a private MongoDB."""

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from producers import SyncHospitalProducer
from producers.testing import CommandLog, InlineProducer, PrivateMongo, TransactionFaults
from worker.contract import INGEST_HOSPITAL, HospitalChanges, HospitalRecord, IngestHospital, JobSpec
from worker.errors import ConfigurationError, JobNotFound, TransientError

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1", beds=10)
BY: dict[str, Any] = {"actor": "dr-ito", "reason": "licence 4711"}


class Empty(BaseModel):
    pass


FLAKY = JobSpec("flaky", Empty, Empty)


async def test_every_method_runs_its_job(inline_producer: InlineProducer) -> None:
    async def status(receipt: Any) -> str:
        outcome = await receipt.outcome(timeout=20)
        return str(outcome.status)

    producer = inline_producer
    assert await status(await producer.ingest_hospital(MERCY)) == "created"
    corrected = await producer.correct_hospital("cms:1", HospitalChanges(beds=11), revision=1)
    assert await status(corrected) == "corrected"
    assert await status(await producer.discard_hospital("cms:1", revision=2)) == "discarded"
    assert await status(await producer.register_hospital(MERCY, **BY)) == "registered"
    assert await status(await producer.amend_hospital("cms:1", HospitalChanges(beds=12), **BY)) == "amended"
    assert await status(await producer.withdraw_hospital("cms:1", **BY)) == "withdrawn"
    chunk = await producer.ingest_hospitals([MERCY, {"hospital_name": "Grace"}])
    assert (await chunk.outcome(timeout=20)).statuses == ["created", "created"]

    assert producer.database["hospitals"].count_documents({}) == 2
    assert [it["event"] for it in producer.database["logs"].find(sort=[("seq", 1)])] == [
        "registered",
        "amended",
        "withdrawn",
    ]


async def test_calls_at_the_same_time_all_end(inline_producer: InlineProducer) -> None:
    records = [MERCY.model_copy(update={"external_id": str(number)}) for number in range(20)]
    receipts = await asyncio.gather(*(inline_producer.register_hospital(it, **BY) for it in records))
    answers = await inline_producer.wait_all(receipts, timeout=20)
    assert [getattr(it, "status", it) for it in answers] == ["registered"] * 20


def test_it_works_in_one_event_loop_after_the_other_and_without_one(inline_producer: InlineProducer) -> None:
    async def ingest() -> str:
        async with inline_producer as producer:
            return (await (await producer.ingest_hospital(MERCY)).outcome(timeout=20)).status

    assert [asyncio.run(ingest()), asyncio.run(ingest())] == ["created", "same"]
    with SyncHospitalProducer(inline_producer) as blocking:
        assert blocking.ingest_hospital(MERCY).outcome(timeout=20).status == "same"


async def test_a_job_that_a_worker_would_retry_waits(private_mongo: PrivateMongo) -> None:
    tries = []

    async def flaky(ctx: dict[str, Any], payload: dict[str, Any]) -> Empty:
        tries.append(ctx["job_try"])
        if len(tries) == 1:
            raise TransientError("once")
        return Empty()

    with InlineProducer(private_mongo, functions=[flaky]) as producer:
        receipt = await producer.enqueue(FLAKY, Empty())
        with pytest.raises(TimeoutError, match="still queued"):
            await receipt.outcome(timeout=20)
        assert await producer.run_waiting() == 1
        assert await receipt.outcome(timeout=20) == Empty()
        assert await producer.run_waiting() == 0
    assert tries == [1, 2]


async def test_a_job_of_an_unknown_function_is_refused(inline_producer: InlineProducer) -> None:
    with pytest.raises(ConfigurationError, match=r"no function flaky: .*functions=\[flaky\]"):
        await inline_producer.enqueue(FLAKY, Empty())


async def test_a_job_is_delivered_again(inline_producer: InlineProducer) -> None:
    receipt = await inline_producer.ingest_hospital(MERCY, idempotency_key="key")
    first = await receipt.outcome(timeout=20)
    again = await inline_producer.deliver_again(receipt.job_id)
    assert (again.status, again.revision) == (first.status, first.revision) == ("created", 1)
    with pytest.raises(JobNotFound):
        await inline_producer.deliver_again("ingest_hospital:never")


async def test_real_jobs_survive_faults(
    inline_producer: InlineProducer, transaction_faults: TransactionFaults
) -> None:
    with transaction_faults.commit_fails(times=2):
        receipt = await inline_producer.register_hospital(MERCY, **BY)
    assert (await receipt.outcome(timeout=20)).status == "registered"
    assert inline_producer.database["logs"].count_documents({}) == 1


async def test_what_each_job_needs_of_sessions(inline_producer: InlineProducer, command_log: CommandLog) -> None:
    """The table "Which operation needs a session" of the README."""
    await inline_producer.ingest_hospital(MERCY)
    await inline_producer.ingest_hospitals([MERCY.model_copy(update={"external_id": "2"})])
    await inline_producer.correct_hospital("cms:1", HospitalChanges(beds=1), revision=1)
    await inline_producer.discard_hospital("cms:2", revision=1)
    command_log.assert_no_session("hospitals")
    for change in (
        inline_producer.register_hospital(MERCY, **BY),
        inline_producer.amend_hospital("cms:1", HospitalChanges(beds=2), **BY),
        inline_producer.withdraw_hospital("cms:1", **BY),
    ):
        command_log.clear()
        await change
        command_log.assert_one_transaction("hospitals", "logs")
    command_log.clear()
    await inline_producer.withdraw_hospital("cms:1", **BY)
    assert [it.session for it in command_log.writes("logs")] == [None]


def threads() -> list[str]:
    return [it.name for it in threading.enumerate() if it.name == "hospital-producer"]


async def test_stopping_leaves_neither_a_thread_nor_a_database(private_mongo: PrivateMongo) -> None:
    before = threads()
    with InlineProducer(private_mongo) as producer:
        await producer.enqueue(INGEST_HOSPITAL, IngestHospital(record=MERCY))
        assert len(threads()) == len(before) + 1
        assert producer.database.name in private_mongo.client.list_database_names()
    assert threads() == before
    assert producer.database.name not in private_mongo.client.list_database_names()
