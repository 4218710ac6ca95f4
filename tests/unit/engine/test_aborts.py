import math

import pytest
from arq.connections import ArqRedis

from tests.unit.engine.conftest import claimed
from worker.engine.aborts import AbortWatch
from worker.engine.context import EngineContext
from worker.engine.running_job import RunningJob
from worker.engine.slots import Slots
from worker.queue import keys

NOW_MS = 1_700_000_000_000


class OfJobs(Slots):
    """Slots with jobs that the test has put there."""

    def __init__(self) -> None:
        self.put_jobs: dict[bytes, RunningJob] = {}

    def put(self, job_id: bytes, enqueued_ms: float) -> RunningJob:
        job = self.put_jobs[job_id] = RunningJob(claimed(job_id), "token")
        job.read(enqueued_ms)
        return job

    def get(self, job_id: bytes) -> RunningJob | None:
        return self.put_jobs.get(job_id)


@pytest.fixture
def slots() -> OfJobs:
    return OfJobs()


@pytest.fixture
def watch(context: EngineContext, slots: OfJobs, monkeypatch: pytest.MonkeyPatch) -> AbortWatch:
    monkeypatch.setattr("worker.engine.aborts.timestamp_ms", lambda: NOW_MS)
    return AbortWatch(context, slots)


async def requests(redis: ArqRedis) -> set[bytes]:
    return set(await redis.zrange(keys.ABORT, 0, -1))


async def test_a_running_job_is_interrupted_once_its_abort_is_requested(
    watch: AbortWatch, slots: OfJobs, redis: ArqRedis
) -> None:
    meant, other = slots.put(b"meant", NOW_MS), slots.put(b"other", NOW_MS)
    await watch.check()
    assert [meant.interrupted_by, other.interrupted_by] == [None, None]

    await redis.zadd(keys.ABORT, {b"meant": NOW_MS})
    await watch.check()
    assert [meant.interrupted_by, other.interrupted_by] == ["abort", None]
    # The completion of the job removes the request.
    assert await requests(redis) == {b"meant"}


async def test_every_request_is_looked_at(watch: AbortWatch, slots: OfJobs, redis: ArqRedis) -> None:
    jobs = [slots.put(b"job-%d" % number, NOW_MS) for number in range(5)]
    await redis.zadd(keys.ABORT, {b"job-%d" % number: NOW_MS + number for number in range(5)})
    await watch.check()

    assert [job.interrupted_by for job in jobs] == ["abort"] * 5


async def test_a_job_whose_id_is_not_text_is_aborted_too(watch: AbortWatch, slots: OfJobs, redis: ArqRedis) -> None:
    job = slots.put(b"\xff\x00", NOW_MS)
    await redis.zadd(keys.ABORT, {b"\xff\x00": NOW_MS})
    await watch.check()

    assert job.interrupted_by == "abort"


@pytest.mark.parametrize("enqueued_ms", [NOW_MS, math.inf], ids=["later", "not yet read"])
async def test_an_old_request_is_not_meant_for_a_later_job_of_the_id(
    watch: AbortWatch, slots: OfJobs, redis: ArqRedis, enqueued_ms: float
) -> None:
    job = slots.put(b"job", enqueued_ms)
    await redis.zadd(keys.ABORT, {b"job": NOW_MS - 3_600_000})
    await watch.check()

    assert job.interrupted_by is None
    # The job still runs, so its completion decides what becomes of the request.
    assert await requests(redis) == {b"job"}


async def test_a_request_that_is_a_minute_old_and_met_no_job_is_removed(watch: AbortWatch, redis: ArqRedis) -> None:
    await redis.zadd(keys.ABORT, {b"old": NOW_MS - 60_001, b"older": NOW_MS - 3_600_000, b"young": NOW_MS - 60_000})
    await watch.check()

    # The job of a young request may still come.
    assert await requests(redis) == {b"young"}


async def test_a_request_waits_as_long_as_its_job(watch: AbortWatch, redis: ArqRedis) -> None:
    await redis.zadd(keys.ABORT, {b"waiting": NOW_MS - 3_600_000, b"\xff": NOW_MS - 3_600_000})
    await redis.set(keys.JOB + "waiting", b"payload")
    await redis.set(keys.JOB.encode() + b"\xff", b"payload")
    await watch.check()
    assert await requests(redis) == {b"waiting", b"\xff"}

    await redis.delete(keys.JOB + "waiting")
    await watch.check()
    assert await requests(redis) == {b"\xff"}
