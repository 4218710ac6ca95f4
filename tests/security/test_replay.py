"""The effect of a signed message that is delivered again, or in place of another one."""

from typing import Any, cast

import pytest
from arq.worker import Worker, func

from producers.client import HospitalProducer
from tests.security.stand import ACT, NEW, OLD, QUEUE, RECORD, Stand
from worker.codec import Codec
from worker.contract import HospitalChanges, HospitalRecord
from worker.engine.arq_redis import open_arq_redis
from worker.errors import InvalidEnvelope
from worker.mongo.client import Document
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore


async def test_only_a_signed_envelope_contains_its_job_id(stand: Stand) -> None:
    for signing in ({}, NEW):
        async with HospitalProducer.connect(stand.settings(signing)) as producer:
            receipt = await producer.ingest_hospital(HospitalRecord.model_validate(RECORD))
        message = Codec(signing).decode(await stand.redis.get(keys.JOB + receipt.job_id))
        assert message.get("id") == (receipt.job_id if signing else None)


async def test_a_signed_job_replayed_under_another_id_is_a_dead_letter(stand: Stand) -> None:
    async with HospitalProducer.connect(stand.settings(NEW)) as producer:
        await producer.register_hospital(HospitalRecord.model_validate(RECORD), **ACT)
        await stand.work(NEW)
        captured = []
        for beds in (2, 3):
            receipt = await producer.amend_hospital("cms:1", HospitalChanges(beds=beds), **ACT)
            captured.append(await stand.redis.get(keys.JOB + receipt.job_id))
            await stand.work(NEW)
    await stand.put("amend_hospital:replayed", captured[0])
    await stand.work(NEW)
    assert await stand.refusal("amend_hospital:replayed") == "InvalidEnvelope: written for a job with another id"
    dead_letters = DeadLetterStore(stand.redis)
    dead_letter = await dead_letters.get("amend_hospital:replayed")
    assert dead_letter.failure.tries == 1
    assert await dead_letters.retry([dead_letter]) == 1
    await stand.work(NEW)
    assert "another id" in await stand.refusal("amend_hospital:replayed")
    assert (await stand.hospital() or {})["beds"] == 3


async def test_a_replayed_registration_or_withdrawal_is_a_dead_letter(stand: Stand) -> None:
    payloads: dict[str, Document] = {
        "register_hospital": {"record": RECORD, **ACT},
        "withdraw_hospital": {"hospital_id": "cms:1", **ACT},
    }
    captured: dict[str, bytes] = {}
    for act, function in (
        ("registered", "register_hospital"),
        ("withdrawn", "withdraw_hospital"),
        ("registered again", "register_hospital"),
    ):
        captured[act] = stand.envelope(function, payloads[function], NEW, job_id=act)
        await stand.put(act, captured[act])
        await stand.work(NEW)
        before = await stand.hospital()
        # No earlier act is repeated.
        for earlier in captured.keys() - {act}:
            await stand.put(f"{earlier} after {act}", captured[earlier])
            await stand.work(NEW)
            assert "written for a job with another id" in await stand.refusal(f"{earlier} after {act}")
        assert await stand.hospital() == before
        assert (before is None) == (act == "withdrawn")


async def test_a_signed_job_replayed_under_its_own_id_has_no_second_effect(stand: Stand) -> None:
    async with HospitalProducer.connect(stand.settings(NEW)) as producer:
        await producer.register_hospital(HospitalRecord.model_validate(RECORD), **ACT)
        await stand.work(NEW)
        first = await producer.amend_hospital("cms:1", HospitalChanges(beds=2), **ACT)
        captured = await stand.redis.get(keys.JOB + first.job_id)
        await stand.work(NEW)
        original = await first.outcome(timeout=5)
        await producer.amend_hospital("cms:1", HospitalChanges(beds=3), **ACT)
        await stand.work(NEW)
        await stand.redis.delete(keys.RESULT + first.job_id)
        await stand.put(first.job_id, captured)
        await stand.work(NEW)
        again = await first.outcome(timeout=5)
    assert (again.status, again.revision, again.log_id) == (original.status, original.revision, original.log_id)
    assert (await stand.hospital() or {})["beds"] == 3


async def test_a_retried_dead_letter_that_names_its_job_runs(stand: Stand) -> None:
    async with HospitalProducer.connect(stand.settings(OLD)) as producer:
        receipt = await producer.ingest_hospital(HospitalRecord.model_validate(RECORD))
        await stand.work(NEW)
        dead_letters = DeadLetterStore(stand.redis)
        assert await dead_letters.retry([await dead_letters.get(receipt.job_id)]) == 1
        await stand.work(OLD)
        assert (await receipt.outcome(timeout=5)).status == "created"


async def test_a_signed_result_is_refused_for_another_job(stand: Stand) -> None:
    async with HospitalProducer.connect(stand.settings(NEW)) as producer:
        done = await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        await stand.work(NEW)
        waiting = await producer.ingest_hospital(HospitalRecord(hospital_name="Angel"))
        result = await stand.redis.get(keys.RESULT + done.job_id)
        await stand.redis.set(keys.RESULT + waiting.job_id, result)
        with pytest.raises(InvalidEnvelope, match="another id"):
            await waiting.outcome(timeout=5)
        with pytest.raises(InvalidEnvelope, match="another id"):
            await producer.status(waiting.job_id)


async def test_a_job_signed_without_its_id_can_be_replayed_under_another(stand: Stand) -> None:
    def envelope(function: str, **payload: Any) -> bytes:
        return stand.envelope(function, {**payload, **ACT}, NEW)

    async def run(job_id: str, signed: bytes) -> str:
        await stand.put(job_id, signed)
        await stand.work(NEW)
        return str((await stand.outcome(job_id))["status"])

    registration, withdrawal = (
        envelope("register_hospital", record=RECORD),
        envelope("withdraw_hospital", hospital_id="cms:1"),
    )
    amendment, guarded = (
        envelope("amend_hospital", hospital_id="cms:1", changes={"beds": beds}, **more)
        for beds, more in ((2, {}), (1, {"revision": 1}))
    )
    assert await run("register", registration) == "registered"
    assert await run("guarded", guarded) == "amended"
    assert await run("bare", amendment) == "amended"
    assert await run("later", envelope("amend_hospital", hospital_id="cms:1", changes={"beds": 3})) == "amended"
    assert await run("bare replayed", amendment) == "amended"
    assert (await stand.hospital() or {})["beds"] == 2
    # An amendment that names its revision is refused.
    assert await run("guarded replayed", guarded) == "conflict"
    assert await run("withdraw", withdrawal) == "withdrawn"
    assert await run("register replayed", registration) == "registered"
    assert await run("withdraw replayed", withdrawal) == "withdrawn"
    assert await stand.hospital() is None


async def test_a_signed_ingest_replayed_changes_nothing(stand: Stand) -> None:
    signed = stand.envelope("ingest_hospital", {"record": RECORD}, NEW)
    await stand.put("first", signed)
    await stand.work(NEW)
    before = await stand.hospital()
    await stand.put("replayed", signed)
    await stand.work(NEW)
    assert (await stand.outcome("replayed"))["status"] == "unchanged"
    assert await stand.hospital() == before


async def test_a_replayed_ingest_does_not_bring_back_a_removed_hospital(stand: Stand) -> None:
    signed = stand.envelope("ingest_hospital", {"record": RECORD}, NEW, job_id="ingest")
    discard = stand.envelope("discard_hospital", {"hospital_id": "cms:1", "revision": 1}, NEW, job_id="discard")
    for job_id, envelope in (("ingest", signed), ("discard", discard)):
        await stand.put(job_id, envelope)
        await stand.work(NEW)
    assert await stand.hospital() is None
    await stand.redis.delete(keys.RESULT + "ingest")
    await stand.put("ingest", signed)
    await stand.work(NEW)
    assert await stand.redis.exists(keys.RESULT + "ingest")
    assert await stand.hospital() is None


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq closes its connections that way
async def test_arqs_own_worker_does_not_check_the_id(stand: Stand) -> None:
    ran: list[str] = []

    async def job(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    codec = Codec(NEW)
    await stand.put("replayed", codec.encode({"f": "job", "a": [], "et": 1, "id": "first"}))
    worker = Worker(
        [func(cast(Any, job), name="job")],
        redis_pool=open_arq_redis(stand.settings(NEW), codec),
        queue_name=QUEUE,
        burst=True,
        poll_delay=0.05,
        handle_signals=False,
        job_serializer=codec.encode,
        job_deserializer=codec.decode,
    )
    await worker.async_run()
    await worker.close()
    assert ran == ["replayed"]
