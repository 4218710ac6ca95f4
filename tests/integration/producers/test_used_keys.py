"""A key that is used for something else raises `KeyUsedTwice`, at every stage of the job that it has made."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from arq.worker import Retry, func

from producers.client import HospitalProducer
from tests.integration.producers.conftest import a_later_call
from tests.support.waiting import until
from worker.codec import Codec
from worker.contract import (
    DEFAULT_QUEUE,
    INGEST_HOSPITAL,
    INGEST_HOSPITALS,
    REGISTER_HOSPITAL,
    HospitalRecord,
    IngestHospital,
    IngestHospitals,
    RegisterHospital,
)
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.errors import KeyUsedTwice, PermanentError
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore
from worker.settings import Settings, load_settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
GRACE = HospitalRecord(hospital_name="Grace", source="cms", external_id="2")
BY: dict[str, Any] = {"actor": "dr-ito", "reason": "licence 4711"}
ACT, OTHER = RegisterHospital(record=MERCY, **BY), RegisterHospital(record=GRACE, **BY)
JOB_ID = "register_hospital:key"
OUTCOME = {"hospital_id": "cms:1", "status": "registered", "log_id": "log"}


class Stand:
    """A producer, and workers whose job does what the test says."""

    def __init__(self, producer: HospitalProducer, redis: ArqRedis, settings: Settings) -> None:
        self.producer, self.redis = producer, redis
        self.dead_letters = DeadLetterStore(redis)
        self.ran: list[str] = []
        self.raises: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._settings = settings
        self._stack = AsyncExitStack()

    async def enqueue(self, payload: RegisterHospital = ACT, *, delay: float = 0) -> str | None:
        await a_later_call()
        receipt = await self.producer.enqueue(REGISTER_HOSPITAL, payload, idempotency_key="key", delay=delay)
        assert receipt.job_id == JOB_ID
        return receipt.state

    async def serve(self, **options: Any) -> None:
        """Start a worker."""

        async def register_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
            self.ran.append(payload["record"]["hospital_name"])
            await self.go_on.wait()
            if self.raises is not None:
                raise self.raises
            return OUTCOME

        async def opened() -> ArqRedis:
            return open_arq_redis(self._settings, Codec())

        worker = LeaseWorker(
            [func(register_hospital, name="register_hospital", **options)],
            queues={DEFAULT_QUEUE: 5},
            lease=2,
            poll_delay=0.1,
            handle_signals=False,
            allow_abort_jobs=True,
            open_redis=opened,
        )
        task = asyncio.create_task(worker.async_run())

        async def stop() -> None:
            self.go_on.set()
            await worker.close()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(stop)

    async def until_state(self, *states: str) -> None:
        async def reached() -> bool:
            return (await self.producer.status(JOB_ID)).state in states

        await until(reached, 20)

    async def close(self) -> None:
        await self._stack.aclose()


@pytest_asyncio.fixture
async def stand(producer: HospitalProducer, redis: ArqRedis, settings: Settings) -> AsyncIterator[Stand]:
    stand = Stand(producer, redis, settings)
    yield stand
    await stand.close()


async def _waiting(stand: Stand) -> None:
    await stand.enqueue()


async def _deferred(stand: Stand) -> None:
    await stand.enqueue(delay=3_600)
    await stand.until_state("deferred")


async def _running(stand: Stand) -> None:
    stand.go_on.clear()
    await stand.serve()
    await stand.enqueue()
    await until(lambda: asyncio.sleep(0, bool(stand.ran)), 20)


async def _to_be_retried(stand: Stand) -> None:
    stand.raises = Retry(defer=3_600)
    await stand.serve()
    await stand.enqueue()
    await stand.until_state("deferred")


async def _done(stand: Stand) -> None:
    await stand.serve()
    await stand.enqueue()
    await stand.until_state("done")


async def _outcome_gone(stand: Stand) -> None:
    await _done(stand)
    await stand.redis.delete(keys.RESULT + JOB_ID)


async def _outcome_not_kept(stand: Stand) -> None:
    await stand.serve(keep_result=0)
    await stand.enqueue()
    await stand.until_state("unknown")
    assert stand.ran


async def _dead(stand: Stand) -> None:
    stand.raises = PermanentError("never")
    await stand.serve()
    await stand.enqueue()
    await stand.until_state("dead")


async def _dead_for_long(stand: Stand) -> None:
    await _dead(stand)
    # Both expire; the payload of the dead letter does not.
    await stand.redis.delete(keys.RESULT + JOB_ID, keys.DIGEST + JOB_ID)


async def _discarded(stand: Stand) -> None:
    await _dead(stand)
    found = await stand.dead_letters.find(JOB_ID)
    assert await stand.dead_letters.discard_unchanged([found]) == 1
    await stand.until_state("failed")


async def _retried_dead_letter(stand: Stand) -> None:
    await _dead(stand)
    stand.go_on.clear()
    await stand.dead_letters.retry([await stand.dead_letters.get(JOB_ID)])
    await until(lambda: asyncio.sleep(0, len(stand.ran) == 2), 20)


async def _aborted(stand: Stand) -> None:
    await stand.enqueue()
    await stand.producer.receipt(REGISTER_HOSPITAL, JOB_ID).abort()
    await stand.serve()
    await stand.until_state("failed")
    assert stand.ran == []


STAGES: dict[str, tuple[Callable[[Stand], Awaitable[None]], str]] = {
    "waiting": (_waiting, "queued"),
    "deferred": (_deferred, "queued"),
    "running": (_running, "running"),
    "to be retried": (_to_be_retried, "queued"),
    "done": (_done, "done"),
    "done, its outcome gone": (_outcome_gone, "new"),
    "done, its outcome not kept": (_outcome_not_kept, "new"),
    "dead": (_dead, "dead"),
    "dead, all that expires gone": (_dead_for_long, "dead"),
    "discarded": (_discarded, "done"),
    "retried dead letter": (_retried_dead_letter, "running"),
    "aborted": (_aborted, "done"),
}


@pytest.mark.parametrize("stage", STAGES)
async def test_another_payload_is_refused_and_the_same_returns_the_first_receipt(stand: Stand, stage: str) -> None:
    bring, state = STAGES[stage]
    await bring(stand)
    known = await stand.producer.status(JOB_ID)

    with pytest.raises(KeyUsedTwice, match=f"^{JOB_ID} was enqueued with another payload"):
        await stand.enqueue(OTHER)
    assert (await stand.producer.status(JOB_ID)).state == known.state
    assert await stand.enqueue(ACT) == state
    assert "Grace" not in stand.ran


async def test_of_two_producers_with_different_payloads_one_wins(stand: Stand, settings: Settings) -> None:
    async with HospitalProducer.connect(settings) as rival:
        for number in range(50):
            calls = [
                who.enqueue(REGISTER_HOSPITAL, payload, idempotency_key=f"race-{number}")
                for who, payload in ((stand.producer, ACT), (rival, OTHER))
            ]
            first, second = await asyncio.gather(*calls, return_exceptions=True)
            lost = {isinstance(it, KeyUsedTwice) for it in (first, second)}
            assert lost == {True, False}
    assert await stand.redis.zcard(DEFAULT_QUEUE) == 50


# ---- programs that write no digests -------------------------------------------------------------------------


def _envelope(payload: dict[str, Any], function: str = "register_hospital", **fields: Any) -> bytes:
    return Codec().encode({"t": None, "f": function, "a": [payload], "k": {}, "et": 1, **fields})


async def _put(stand: Stand, envelope: bytes) -> None:
    await stand.redis.set(keys.JOB + JOB_ID, envelope)
    await stand.redis.zadd(DEFAULT_QUEUE, {JOB_ID: 1})


STORED = {"record": {"hospital_name": "Mercy", "source": "cms", "external_id": "1", "beds": None}, **BY}


async def test_the_envelope_of_a_producer_without_digests_is_compared(stand: Stand) -> None:
    await _put(stand, _envelope(STORED))

    assert await stand.enqueue(ACT) == "queued"
    with pytest.raises(KeyUsedTwice):
        await stand.enqueue(OTHER)


async def test_so_is_the_result_of_a_worker_without_digests_if_it_shows_the_payload(stand: Stand) -> None:
    result: dict[str, Any] = {"s": True, "r": OUTCOME, "st": 1, "ft": 2, "q": DEFAULT_QUEUE, "id": JOB_ID}
    await stand.redis.set(keys.RESULT + JOB_ID, _envelope(STORED, **result))
    assert await stand.enqueue(ACT) == "done"
    with pytest.raises(KeyUsedTwice):
        await stand.enqueue(OTHER)

    await stand.redis.set(keys.RESULT + JOB_ID, _envelope(STORED, **result, a=[]))
    assert [await stand.enqueue(ACT), await stand.enqueue(OTHER)] == ["done", "done"]


@pytest.mark.parametrize(
    "envelope",
    [
        b"not JSON",
        b"\x80\x04pickle",
        _envelope({"record": 1}),
        _envelope({**STORED, "of_a_later_version": 1}),
        _envelope(STORED, id="register_hospital:another"),
    ],
)
async def test_what_cannot_be_compared_is_answered_as_before(stand: Stand, envelope: bytes) -> None:
    await _put(stand, envelope)

    assert [await stand.enqueue(ACT), await stand.enqueue(OTHER)] == ["queued", "queued"]


async def test_arqs_own_enqueue_keeps_its_semantics(stand: Stand) -> None:
    assert await stand.redis.enqueue_job("register_hospital", STORED, _job_id=JOB_ID) is not None
    assert await stand.redis.enqueue_job("register_hospital", {"record": {}}, _job_id=JOB_ID) is None

    assert await stand.enqueue(ACT) == "queued"
    with pytest.raises(KeyUsedTwice):
        await stand.enqueue(OTHER)


async def test_a_producer_without_digests_is_answered_as_before(stand: Stand) -> None:
    await stand.enqueue(ACT)
    job = stand.producer._queue.job(REGISTER_HOSPITAL, OTHER, JOB_ID)

    assert await stand.producer._queue.put([job]) == ["queued"]


async def test_signed_jobs_are_compared_too(own_redis: EmbeddedRedis) -> None:
    signing = load_settings(redis_url=own_redis.url, queue_signing_keys="k1:0123456789abcdef")
    later = load_settings(redis_url=own_redis.url, queue_signing_keys="k2:abcdef0123456789,k1:0123456789abcdef")
    async with HospitalProducer.connect(signing) as first, HospitalProducer.connect(later) as second:
        await first.register_hospital(MERCY, **BY, idempotency_key="key")
        await a_later_call()
        assert (await second.register_hospital(MERCY, **BY, idempotency_key="key")).state == "queued"
        with pytest.raises(KeyUsedTwice):
            await second.register_hospital(GRACE, **BY, idempotency_key="key")


# ---- batches ------------------------------------------------------------------------------------------------


def _chunk(*records: HospitalRecord) -> IngestHospitals:
    return IngestHospitals(records=list(records), import_id="i", lines=[*range(2, 2 + len(records))])


async def test_a_batch_takes_its_jobs_again_and_no_others(stand: Stand) -> None:
    batch = stand.producer.batch("batch")
    await batch.create()
    chunks = [_chunk(MERCY), _chunk(GRACE)]
    await batch.add(INGEST_HOSPITALS, chunks, keys=["0", "1"])
    await a_later_call()

    again = await batch.add(INGEST_HOSPITALS, chunks, keys=["0", "1"])
    assert [it.state for it in again] == ["queued", "queued"]
    with pytest.raises(KeyUsedTwice, match="ingest_hospitals:~batch:batch:1 was"):
        await batch.add(INGEST_HOSPITALS, [chunks[0], chunks[0], chunks[0]], keys=["0", "1", "2"])
    assert (await batch.progress()).total == 2


async def test_a_batch_of_a_producer_without_digests_is_continued(stand: Stand) -> None:
    batch = stand.producer.batch("batch")
    await batch.create()
    chunks = [_chunk(MERCY), _chunk(GRACE)]
    jobs = [batch._job(INGEST_HOSPITALS, chunk, str(n), has_key=False) for n, chunk in enumerate(chunks)]
    await stand.producer._queue.put(jobs, "batch")

    again = await batch.add(INGEST_HOSPITALS, [*chunks, _chunk(MERCY, GRACE)], keys=["0", "1", "2"])
    assert [it.state for it in again] == ["queued", "queued", "new"]
    with pytest.raises(KeyUsedTwice):
        await batch.add(INGEST_HOSPITALS, [_chunk(GRACE)], keys=["0"])


async def test_jobs_without_a_key_are_not_compared(stand: Stand) -> None:
    receipts = await stand.producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=MERCY)] * 3)
    for receipt in receipts:
        assert b'"d":' not in await stand.redis.get(keys.JOB + receipt.job_id)
