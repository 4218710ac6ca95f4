"""How a worker treats jobs from an untrusted user who can write to Redis, with and without QUEUE_SIGNING_KEYS."""

import pytest
from arq.connections import create_pool

from producers.client import HospitalProducer
from tests.security.scanner import CANARY
from tests.security.stand import ACT, NEW, OLD, QUEUE, RECORD, Stand
from tests.support.dead_letters import store_dead_letter
from worker.codec import Codec
from worker.contract import INGEST_HOSPITAL, HospitalRecord
from worker.engine.arq_redis import arq_redis_settings
from worker.errors import RemoteError, UntrustedEnvelope
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.dead_letter_store import DeadLetterStore


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq closes its connections that way
async def test_a_job_that_stock_arq_pickled_is_dead_lettered_and_never_unpickled(stand: Stand) -> None:
    stock = await create_pool(arq_redis_settings(stand.settings({})))
    job = await stock.enqueue_job("ingest_hospital", {"record": RECORD})
    await stock.aclose()
    assert job is not None
    await stand.work({})
    assert await stand.refusal(job.job_id) == "InvalidEnvelope: not a JSON envelope"
    assert await stand.hospital() is None


async def test_with_keys_unsigned_and_tampered_jobs_do_nothing(stand: Stand) -> None:
    valid = stand.envelope("ingest_hospital", {"record": RECORD}, NEW)
    await stand.put("unsigned", stand.envelope("ingest_hospital", {"record": RECORD}, {}))
    await stand.put("other key", stand.envelope("ingest_hospital", {"record": RECORD}, {"evil": "e" * 16}))
    await stand.put("guessed key", stand.envelope("ingest_hospital", {"record": RECORD}, {"new": "e" * 16}))
    await stand.put("tampered", valid.replace(b"Mercy", b"Nerdy"))
    await stand.put("cut", valid.partition(b":{")[2])
    await stand.work(NEW)
    assert await stand.refusal("unsigned") == (
        "UntrustedEnvelope: unsigned; sign it with a key from QUEUE_SIGNING_KEYS"
    )
    assert "a key that QUEUE_SIGNING_KEYS does not contain" in await stand.refusal("other key")
    assert "does not match the content" in await stand.refusal("guessed key")
    assert "does not match the content" in await stand.refusal("tampered")
    assert (await stand.refusal("cut")).startswith("UntrustedEnvelope: unsigned")
    assert await stand.hospital() is None


async def test_without_keys_any_user_of_redis_can_enqueue_any_job(stand: Stand) -> None:
    await stand.put("forged", stand.envelope("register_hospital", {"record": RECORD, **ACT}, {}))
    await stand.work({})
    assert (await stand.hospital() or {})["status"] == "registered"


async def test_an_old_key_is_accepted_while_it_is_listed_and_refused_after(stand: Stand) -> None:
    record = {"record": RECORD}
    await stand.put("before", stand.envelope("ingest_hospital", record, OLD))
    await stand.put("after", stand.envelope("ingest_hospital", record, NEW))
    await stand.work({**NEW, **OLD})
    assert [(await stand.outcome(name))["status"] for name in ("before", "after")] in (
        ["created", "unchanged"],
        ["unchanged", "created"],
    )
    await stand.put("late", stand.envelope("ingest_hospital", record, OLD))
    await stand.work(NEW)
    assert "a key that QUEUE_SIGNING_KEYS does not contain" in await stand.refusal("late")


async def test_a_refused_dead_letter_is_refused_again_when_it_is_retried(stand: Stand) -> None:
    await stand.put("unsigned", stand.envelope("ingest_hospital", {"record": RECORD}, {}))
    await stand.work(NEW)
    dead_letters = DeadLetterStore(stand.redis)
    assert await dead_letters.retry([await dead_letters.get("unsigned")]) == 1
    await stand.work(NEW)
    assert "UntrustedEnvelope" in await stand.refusal("unsigned")


async def test_a_producer_with_keys_refuses_an_unsigned_result(stand: Stand) -> None:
    async with HospitalProducer.connect(stand.settings(NEW)) as producer:
        receipt = await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        forged = {"f": "x", "a": [], "k": {}, "t": 1, "et": 1, "s": True, "r": {}, "st": 1, "ft": 1, "q": QUEUE}
        await stand.redis.set(keys.RESULT + receipt.job_id, Codec().encode(forged))
        with pytest.raises(UntrustedEnvelope, match=f"{receipt.job_id} has ended, but .* unsigned"):
            await receipt.outcome(timeout=5)


# ---- not covered by signatures ------------------------------------------------------------------------------


async def test_a_failure_can_be_forged(stand: Stand) -> None:
    async with HospitalProducer.connect(stand.settings(NEW)) as producer:
        receipt = await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        forged = DeadLetter(
            job_id=receipt.job_id, function=None, queue=QUEUE, payload="", reason="forged", crashes=0, worker="w",
            failure=Failure(type="Forged", message="", tries=1, at_ms=1),
        )  # fmt: skip
        await store_dead_letter(stand.redis, forged)
        with pytest.raises(RemoteError, match="Forged"):
            await receipt.outcome(timeout=5)


async def test_signed_jobs_can_be_removed_and_delayed(stand: Stand) -> None:
    for job_id in ("removed", "delayed"):
        await stand.put(job_id, stand.envelope("ingest_hospital", {"record": RECORD}, NEW))
    await stand.redis.zrem(QUEUE, "removed")
    await stand.redis.delete(keys.JOB + "removed")
    await stand.redis.zadd(QUEUE, {"delayed": 9e12})
    assert await stand.due() == 0
    assert await stand.redis.hlen(keys.DEAD) == 0


async def test_payloads_are_stored_unencrypted_in_redis(stand: Stand) -> None:
    await stand.put("signed", stand.envelope(INGEST_HOSPITAL.name, {"record": RECORD}, NEW))
    assert CANARY.encode() in await stand.redis.get(keys.JOB + "signed")
