"""How producers wait for the ends of jobs, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.receipts import Receipt
from tests.support.ending_worker import EndingWorker
from tests.support.waiting import until
from worker.contract import INGEST_HOSPITAL, HospitalRecord, IngestHospital, IngestOutcome
from worker.embedded import EmbeddedRedis
from worker.errors import JobNotFound, OutageError
from worker.queue import keys
from worker.redis.errors import REDIS_ERRORS
from worker.settings import Settings, load_settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")


@pytest.fixture
def worker(redis: ArqRedis) -> EndingWorker:
    return EndingWorker(redis)


async def start(redis: ArqRedis, receipt: Receipt[IngestOutcome]) -> "asyncio.Task[IngestOutcome]":
    """Wait for an outcome in a task, and return it once Redis has noted that."""
    waiting = asyncio.create_task(receipt.outcome(timeout=30))
    await until(lambda: redis.exists(keys.WAITER + receipt.job_id))
    return waiting


async def test_a_stored_outcome_wakes_its_producer(
    producer: HospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    waiting = await start(redis, receipt)
    # Nobody looks: only the wake-up is left.
    producer._queue._watch._look_at = float("inf")
    await worker.end_all()

    async with asyncio.timeout(5):
        assert (await waiting).status == "created"
    assert not await redis.exists(keys.WAITER + receipt.job_id)


async def test_two_processes_that_wait_for_one_job_are_both_woken(
    producer: HospitalProducer, settings: Settings, redis: ArqRedis, worker: EndingWorker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    waiting = await start(redis, receipt)
    async with HospitalProducer.connect(settings) as other:
        same = asyncio.create_task(other.receipt(INGEST_HOSPITAL, receipt.job_id).outcome(timeout=30))
        await until(lambda: other._queue._watch._note_at)
        for each in (producer, other):
            each._queue._watch._look_at = float("inf")
        await worker.end_all()

        async with asyncio.timeout(5):
            assert await waiting == await same


async def test_a_worker_that_tells_nobody_costs_a_second(
    producer: HospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    """As one of an earlier version, or arq's own."""
    receipt = await producer.ingest_hospital(MERCY)
    waiting = await start(redis, receipt)
    await redis.delete(keys.WAITERS)
    await worker.end_all()

    async with asyncio.timeout(5):
        assert (await waiting).status == "created"


async def test_waiting_survives_a_restart_of_redis(
    own_redis: EmbeddedRedis, producer: HospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    waiting = await start(redis, receipt)
    await own_redis.kill()
    await own_redis.start()
    # It is lost in a fail-over to a replica that had not received it.
    await until(lambda: _forget(redis, receipt.job_id))
    await worker.end_all()

    assert (await waiting).status == "created"


async def _forget(redis: ArqRedis, job_id: str) -> bool:
    try:
        await redis.delete(keys.WAITER + job_id)
    except REDIS_ERRORS:
        return False
    return True


async def test_an_outage_that_lasts_is_reported_when_the_time_is_over(
    own_redis: EmbeddedRedis, producer: HospitalProducer, redis: ArqRedis
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await own_redis.kill()
    async with asyncio.timeout(20):
        with pytest.raises(OutageError, match="does not answer"):
            await receipt.outcome(timeout=0.5)


async def test_a_result_that_is_not_kept_is_reported_at_once(
    producer: HospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    waiting = await start(redis, receipt)
    await worker.end(*await worker.claim(), life_ms=0)

    async with asyncio.timeout(10):
        with pytest.raises(JobNotFound):
            await waiting


@pytest.mark.parametrize(
    "rule",
    ["-blpop", "resetkeys ~arq:job:* ~arq:queue* ~arq:[lcad]* ~arq:r* ~arq:in-* ~arq:h*"],
    ids=["command", "key"],
)
async def test_without_the_rights_to_be_woken_a_producer_polls(
    own_redis: EmbeddedRedis, redis: ArqRedis, worker: EndingWorker, rule: str
) -> None:
    """As under the rules of an earlier version."""
    await redis.execute_command("ACL", "SETUSER", "old", "on", ">old-password", "~*", "+@all", *rule.split())
    settings = load_settings(redis_url=f"redis://old:old-password@127.0.0.1:{own_redis.port}/0", redis_timeout=1)
    async with HospitalProducer.connect(settings) as producer:
        receipt = await producer.ingest_hospital(MERCY)
        waiting = asyncio.create_task(receipt.outcome(timeout=30))
        await until(lambda: producer._queue._watch._usable_at)
        await worker.end_all()

        # Not at the end of its time.
        async with asyncio.timeout(10):
            assert (await waiting).status == "created"


async def test_ten_thousand_outcomes_are_waited_for_at_once(
    producer: HospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    payloads = [IngestHospital(record=HospitalRecord(hospital_name=f"H {number}")) for number in range(10_000)]
    receipts = await producer.enqueue_many(INGEST_HOSPITAL, payloads)
    progress: list[tuple[int, int]] = []
    waiting = asyncio.create_task(
        producer.wait_all(receipts, timeout=60, on_progress=lambda ended, total: progress.append((ended, total)))
    )
    # To start waiting for them keeps this event loop busy for a while.
    await until(lambda: len(producer._queue._watch._waiting) == 10_000)
    await until(lambda: redis.exists(keys.WAITER + receipts[-1].job_id))
    # No more than one connection waits.
    assert len(await redis.client_list()) < 30
    assert await worker.end_all() == 10_000

    assert {type(outcome) for outcome in await waiting} == {IngestOutcome}
    assert progress == sorted(progress)
    assert progress[-1] == (10_000, 10_000)


async def test_an_outcome_that_cannot_be_had_leaves_the_others(
    producer: HospitalProducer, worker: EndingWorker
) -> None:
    ended = await producer.ingest_hospital(MERCY)
    await worker.end_all()
    waits = await producer.ingest_hospital(MERCY)
    unknown = producer.receipt(INGEST_HOSPITAL, "ingest_hospital:never")

    outcome, late, missing = await producer.wait_all([ended, waits, unknown], timeout=0.05)
    assert isinstance(outcome, IngestOutcome)
    assert isinstance(late, TimeoutError)
    assert isinstance(missing, JobNotFound)
    assert await producer.wait_all([], timeout=0) == []


async def test_a_job_waits_for_its_instant(producer: HospitalProducer, redis: ArqRedis) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    receipt = await producer.ingest_hospital(MERCY, run_at=at, idempotency_key="k")

    assert (await producer.status(receipt.job_id)).state == "deferred"
    due_ms = await redis.zscore(INGEST_HOSPITAL.queue, "ingest_hospital:k")
    assert abs(due_ms - at.timestamp() * 1000) < 10_000


async def test_a_job_is_aborted_by_its_id(producer: HospitalProducer, worker: EndingWorker) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    await producer.abort(receipt.job_id)
    (claimed,) = await worker.claim()
    assert claimed.abort_ms >= claimed.score - 1_000


async def test_a_stream_of_payloads_is_enqueued_as_it_comes(producer: HospitalProducer, redis: ArqRedis) -> None:
    taken: list[int] = []

    async def payloads() -> AsyncIterator[IngestHospital]:
        for number in range(2_000):
            taken.append(number)
            yield IngestHospital(record=MERCY)

    enqueued, most_ahead = 0, 0
    async for receipt in producer.enqueue_stream(INGEST_HOSPITAL, payloads()):
        assert receipt.state == "new"
        enqueued += 1
        most_ahead = max(most_ahead, len(taken) - enqueued)
    assert (enqueued, await redis.zcard(INGEST_HOSPITAL.queue)) == (2_000, 2_000)
    # Constant memory: two groups are on their way.
    assert most_ahead < 1_000


async def test_a_lazy_producer_starts_while_redis_is_unavailable(
    own_redis: EmbeddedRedis, settings: Settings, redis: ArqRedis
) -> None:
    await own_redis.kill()
    async with HospitalProducer.connect(settings, lazy=True) as producer:
        call = asyncio.create_task(producer.ingest_hospital(MERCY))
        await asyncio.sleep(0)
        await own_redis.start()
        assert (await call).state == "new"


async def test_a_lazy_producer_puts_no_job_into_a_redis_that_would_delete_it(
    settings: Settings, redis: ArqRedis
) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    async with HospitalProducer.connect(settings, lazy=True) as producer:
        for _ in range(2):
            with pytest.raises(Exception, match="maxmemory-policy allkeys-lru"):
                await producer.ingest_hospital(MERCY)
    assert await redis.zcard(INGEST_HOSPITAL.queue) == 0


async def test_a_status_is_returned_when_the_job_has_ended_or_the_wait_is_over(
    producer: HospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    receipt = await producer.ingest_hospital(MERCY)
    assert (await producer.status(receipt.job_id, wait=0.05)).state == "queued"
    waiting = asyncio.create_task(producer.status(receipt.job_id, wait=30))
    await until(lambda: redis.exists(keys.WAITER + receipt.job_id))
    await worker.end_all()

    async with asyncio.timeout(5):
        assert (await waiting).state == "done"
    assert (await producer.status("ingest_hospital:none", wait=30)).state == "unknown"
