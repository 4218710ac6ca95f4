import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from arq.connections import ArqRedis
from pydantic import BaseModel
from redis.exceptions import ConnectionError as RedisConnectionError

from producers.batches import Batch
from producers.client import HospitalProducer
from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE, INGEST_HOSPITALS, IngestHospitals, JobSpec
from worker.embedded import EmbeddedRedis
from worker.errors import BatchClosed, BatchNotFound, InvalidPayload, JobNotFound, OutageError
from worker.queue.batches import completion_entry
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts
from worker.settings import Settings


class Report(BaseModel):
    title: str


class Reported(BaseModel):
    rows: int


REPORT = JobSpec("report", Report, Reported)
JUNE = (REPORT, Report(title="June"))


def chunks(count: int) -> list[IngestHospitals]:
    return [IngestHospitals(records=[{"hospital_name": f"Hospital {number}"}]) for number in range(count)]


def names(count: int) -> list[str]:
    return [str(number) for number in range(count)]


async def claimed(redis: ArqRedis, wanted: int = 1_000) -> list[ClaimedJob]:
    queues = [(DEFAULT_QUEUE, wanted), (BULK_QUEUE, wanted)]
    return (await Scripts(redis).claim("w:1", 60_000, wanted, queues)).jobs


async def complete(redis: ArqRedis, batch: Batch, jobs: list[ClaimedJob], **counts: int) -> None:
    """End jobs as a worker does."""
    entry = completion_entry(batch.id, "complete", counts)
    await Scripts(redis).finish([Completion.done(job, "w:1")._replace(batch=entry) for job in jobs])


async def test_a_batch_from_its_first_job_to_its_completion_job(
    producer: HospitalProducer, redis: ArqRedis
) -> None:
    batch = producer.batch("import-7")
    assert await batch.create(JUNE)
    assert not await batch.create(JUNE)

    receipts = await batch.add(INGEST_HOSPITALS, chunks(3), keys=names(3))
    await batch.seal()

    assert [receipt.job_id for receipt in receipts] == [
        f"ingest_hospitals:~batch:import-7:{key}" for key in names(3)
    ]
    assert [receipt.state for receipt in receipts] == ["new"] * 3
    jobs = await claimed(redis)
    assert {Codec().decode(job.payload)["b"] for job in jobs} == {"import-7"}
    with pytest.raises(TimeoutError, match=r"batch import-7: still sealed after 0 s; 0 of 3 jobs have ended"):
        await batch.wait(timeout=0)
    with pytest.raises(JobNotFound):
        await batch.completion(REPORT).outcome(timeout=0)
    await complete(redis, batch, jobs, created=1)
    # Anyone can read it, by its id.
    found = await producer.batch("import-7").wait(timeout=5)
    assert (found.state, found.complete, found.counts) == ("finished", 3, {"created": 3})
    (completion,) = await claimed(redis)
    assert completion.job_id.decode() == found.completion == batch.completion(REPORT).job_id
    message = Codec().decode(completion.payload)
    assert (message["f"], message["a"], message["b"]) == ("report", [{"title": "June"}], "import-7")


async def test_a_batch_and_calls_with_a_key_never_share_a_job(producer: HospitalProducer, redis: ArqRedis) -> None:
    batch = producer.batch("June")
    await batch.create((INGEST_HOSPITALS, chunks(1)[0]))
    (added,) = await batch.add(INGEST_HOSPITALS, chunks(1), keys=["x"])

    calls = [
        await producer.ingest_hospitals([{"hospital_name": "Other"}], idempotency_key=key)
        for key in ("June", "June:x")
    ]

    assert [call.state for call in calls] == ["new", "new"]
    assert len({added.job_id, batch.completion(INGEST_HOSPITALS).job_id, *(call.job_id for call in calls)}) == 4
    # The call did not take the place of the completion job, which runs when the batch has ended.
    await batch.seal()
    await complete(redis, batch, [job for job in await claimed(redis) if job.job_id.decode() == added.job_id])
    assert [job.job_id.decode() for job in await claimed(redis)] == [batch.completion(INGEST_HOSPITALS).job_id]
    with pytest.raises(InvalidPayload, match="'~batch:' at the start is reserved"):
        await producer.ingest_hospitals([{"hospital_name": "Other"}], idempotency_key="~batch:June:x")


async def test_a_batch_is_given_an_id_and_needs_neither_keys_nor_a_completion_job(
    producer: HospitalProducer,
) -> None:
    batch = producer.batch()
    assert batch.id != producer.batch().id
    await batch.create()

    receipts = await batch.add(INGEST_HOSPITALS, chunks(2))

    assert len({receipt.job_id for receipt in receipts}) == 2
    assert (await batch.progress()).total == 2


async def test_adding_goes_on_where_it_was_interrupted_and_runs_nothing_twice(
    producer: HospitalProducer, settings: Settings, redis: ArqRedis
) -> None:
    batch = producer.batch("import-7")
    await batch.create(JUNE)

    def interrupted() -> Iterator[IngestHospitals]:
        yield from chunks(300)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await batch.add(INGEST_HOSPITALS, interrupted(), keys=names(301))
    # In groups: what was read after the last whole group is not enqueued.
    assert (await batch.progress()).total == 250
    await complete(redis, batch, await claimed(redis, 100))

    async with HospitalProducer.connect(settings) as other:
        again = other.batch("import-7")
        assert not await again.create(JUNE)
        receipts = await again.add(INGEST_HOSPITALS, chunks(300), keys=names(300))
        await again.seal()

    assert Counter(receipt.state for receipt in receipts) == {"done": 100, "queued": 150, "new": 50}
    assert await redis.zcard(BULK_QUEUE) == 200
    await complete(redis, batch, await claimed(redis))
    found = await batch.wait(timeout=5)
    assert (found.total, found.complete) == (300, 300)


async def test_the_jobs_of_a_batch_are_listed_in_order_with_their_outcomes(
    producer: HospitalProducer, redis: ArqRedis
) -> None:
    batch = producer.batch("import-7")
    await batch.create()
    await batch.add(INGEST_HOSPITALS, chunks(600), keys=names(600))
    jobs = await claimed(redis, 2)
    await complete(redis, batch, jobs)

    listed = [job async for job in batch.jobs()]

    assert [job.job_id.rpartition(":")[2] for job in listed] == names(600)
    ended = {job.job_id.encode() for job in listed if job.outcome == "complete"}
    assert ended == {job.job_id for job in jobs}


async def test_cancelling_reports_what_was_dropped(producer: HospitalProducer, redis: ArqRedis) -> None:
    batch = producer.batch("import-7")
    await batch.create(JUNE)
    await batch.add(INGEST_HOSPITALS, chunks(5), keys=names(5))
    running = await claimed(redis, 2)

    found = await batch.cancel()

    assert (found.state, found.dropped) == ("cancelling", 3)
    with pytest.raises(BatchClosed, match="import-7: the batch is cancelled and takes no more jobs"):
        await batch.add(INGEST_HOSPITALS, chunks(1), keys=["5"])
    await complete(redis, batch, running)
    assert (await batch.cancel()).state == "cancelled"
    assert len(await claimed(redis)) == 1


async def test_100_000_waiting_jobs_are_dropped_in_less_time_than_they_were_added(
    producer: HospitalProducer, redis: ArqRedis
) -> None:
    batch = producer.batch("import-7")
    await batch.create(JUNE)
    job = chunks(1)[0]
    began = await _processor_s(redis)
    await batch.add(INGEST_HOSPITALS, (job for _ in range(100_000)))
    added = await _processor_s(redis)
    await redis.config_resetstat()

    found = await batch.cancel()

    # Counted in its first step, on however slow a machine.
    assert found.dropped == 100_000
    while not found.has_ended:
        found = await batch.cancel()
    assert (found.state, found.dropped) == ("cancelled", 100_000)
    assert await redis.dbsize() < 10
    # In Redis's processor time, because other tests run beside this one: with two cores to itself, adding takes
    # about 2 s and dropping 1 s.
    assert await _processor_s(redis) - added < added - began
    # Other clients are served meanwhile.
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] >= 100


async def _processor_s(redis: ArqRedis) -> float:
    used = await redis.info("cpu")
    # Redis 6 does not know the time of the thread that runs commands.
    parts = [used.get(f"used_cpu_{part}_main_thread", used[f"used_cpu_{part}"]) for part in ("user", "sys")]
    return float(sum(parts))


@pytest.mark.parametrize("batch_id", ["", "a b", "a:b", "x" * 101])
def test_an_id_that_is_none_is_refused(producer: HospitalProducer, batch_id: str) -> None:
    with pytest.raises(InvalidPayload, match="batch_id: must be 1 to 100 ASCII letters"):
        producer.batch(batch_id)


async def test_keys_that_are_none_or_too_few_are_refused(producer: HospitalProducer) -> None:
    batch = producer.batch("import-7")
    await batch.create()
    with pytest.raises(InvalidPayload, match="idempotency_key"):
        await batch.add(INGEST_HOSPITALS, chunks(1), keys=["two words"])
    with pytest.raises(ValueError, match="zip"):
        await batch.add(INGEST_HOSPITALS, chunks(2), keys=["0"])
    assert (await batch.progress()).total == 0


async def test_an_unknown_batch_is_reported_by_every_call(producer: HospitalProducer) -> None:
    batch = producer.batch("import-7")
    for call in (batch.progress, batch.seal, batch.cancel, lambda: batch.add(INGEST_HOSPITALS, chunks(1))):
        with pytest.raises(BatchNotFound, match="import-7: no batch has this id"):
            await call()
    with pytest.raises(BatchNotFound):
        assert [job async for job in batch.jobs()]


async def test_a_restart_of_redis_between_two_calls_changes_nothing(
    producer: HospitalProducer, own_redis: EmbeddedRedis, redis: ArqRedis
) -> None:
    batch = producer.batch("import-7")
    await batch.create(JUNE)
    await batch.add(INGEST_HOSPITALS, chunks(3), keys=names(3))
    await own_redis.kill()
    sealing = asyncio.create_task(batch.seal())
    await asyncio.sleep(0)
    await own_redis.start()
    await sealing

    await complete(redis, batch, await claimed(redis))

    assert (await batch.wait(timeout=5)).complete == 3
    assert len(await claimed(redis)) == 1


async def test_a_call_whose_answers_are_lost_is_repeated_without_effect(
    producer: HospitalProducer, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: set[int] = set()
    evalsha = type(producer._queue._redis).evalsha

    async def lose_first_answer(self: Any, sha: str, *args: Any) -> Any:
        answer = await evalsha(self, sha, *args)
        call = hash((sha, args))
        if call not in lost:
            lost.add(call)
            raise RedisConnectionError("lost after the script ran")
        return answer

    monkeypatch.setattr(type(producer._queue._redis), "evalsha", lose_first_answer)
    batch = producer.batch("import-7")
    assert not await batch.create(JUNE)
    (receipt,) = await batch.add(INGEST_HOSPITALS, chunks(1), keys=["0"])
    await batch.seal()
    assert receipt.state == "new"
    assert len(lost) == 3
    monkeypatch.undo()

    assert (await batch.cancel()).dropped == 1
    assert len(await claimed(redis)) == 1


async def test_a_batch_of_a_redis_that_is_down_is_an_outage(settings: Settings, own_redis: EmbeddedRedis) -> None:
    async with HospitalProducer.connect(settings, patience=0) as producer:
        await own_redis.kill()
        with pytest.raises(OutageError):
            await producer.batch("import-7").create()
