"""What is known of one job, in whatever state it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from worker.codec import Codec, check_job_id
from worker.contract import JOBS, QUEUES
from worker.errors import InvalidEnvelope
from worker.queue import keys
from worker.queue.clock import queue_time_ms
from worker.queue.dead_letter import DeadLetter, read_dead_letter

JobState = Literal["queued", "deferred", "running", "done", "failed", "dead", "unknown"]


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as Redis has it; `result` is the decoded result message of a job that has ended."""

    job_id: str
    state: JobState
    tries: int
    result: dict[str, Any] | None = None
    dead_letter: DeadLetter | None = None

    @property
    def is_over(self) -> bool:
        """Whether waiting for it changes nothing: it has ended, or is not known."""
        return self.state in ("done", "failed", "dead", "unknown")


EndedView = JobView | InvalidEnvelope
"""A job that has ended, or why what it left cannot be read."""


async def look_up(redis: "Redis[bytes]", codec: Codec, job_id: str, more_queues: Iterable[str] = ()) -> JobView:
    """Return what is known of the job `job_id`. Its envelope, which can be large, is not fetched.

    It is looked for on the queue of its kind, and on `more_queues`.

    Raises `InvalidEnvelope` if the stored result is not a result, or belongs to another job.
    """
    spec = JOBS.get(job_id.partition(":")[0])
    queues = dict.fromkeys((*((spec.queue,) if spec else QUEUES), *more_queues))
    async with redis.pipeline(transaction=True) as pipe:
        pipe.get(keys.RESULT + job_id)
        pipe.exists(keys.JOB + job_id)
        pipe.exists(keys.IN_PROGRESS + job_id)
        pipe.get(keys.TRIES + job_id)
        pipe.hget(keys.DEAD, job_id)
        pipe.time()
        for queue in queues:
            pipe.zscore(queue, job_id)
        answers = await pipe.execute(raise_on_error=False)
    # A payload or a counter may be a key of another type, written by another program.
    result, has_payload, running, tries, dead_letter, (seconds, _), *scores = answers
    for answer in (result, running, dead_letter, *scores):
        if isinstance(answer, Exception):
            raise answer
    if dead_letter or result:
        return _ended(codec, job_id, result, dead_letter)
    score = next((score for score in scores if score is not None), None)
    if not has_payload and score is None:
        return JobView(job_id, "unknown", 0)
    state: JobState = "queued"
    if running:
        state = "running"
    elif score is not None and is_deferred(score, await _queue_time(redis, seconds * 1000, score)):
        state = "deferred"
    spent = int(tries) if isinstance(tries, bytes) and tries.isdigit() else 0
    return JobView(job_id, state, spent + (state == "running"))


async def look_up_ended(redis: "Redis[bytes]", codec: Codec, job_ids: Sequence[str]) -> dict[str, EndedView]:
    """Return what `look_up` returns or raises, of those of these jobs that have ended, by id."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.mget([keys.RESULT + job_id for job_id in job_ids])
        pipe.hmget(keys.DEAD, job_ids)
        results, dead_letters = await pipe.execute()
    found: dict[str, EndedView] = {}
    for job_id, result, dead_letter in zip(job_ids, results, dead_letters, strict=True):
        if dead_letter or result:
            try:
                found[job_id] = _ended(codec, job_id, result, dead_letter)
            except InvalidEnvelope as error:
                found[job_id] = error
    return found


async def find_ended(redis: "Redis[bytes]", job_ids: Sequence[str]) -> set[str]:
    """Return those of these jobs that are known to have ended, once at least.

    By its outcome or its dead letter, and a job whose envelope has a digest also for a day after its end, however
    short its outcome is kept, and for 30 days after it was dead-lettered: see `DIGEST_LIFE` in lua/finish.lua.
    """
    if not job_ids:
        return set()
    async with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.exists(keys.RESULT + job_id, keys.DIGEST + job_id)
            pipe.hexists(keys.DEAD, job_id)
        answers = await pipe.execute()
    return {
        job_id for job_id, traces, dead in zip(job_ids, answers[::2], answers[1::2], strict=True) if traces or dead
    }


def _ended(codec: Codec, job_id: str, result: bytes | None, dead_letter: bytes | None) -> JobView:
    if dead_letter:
        stored = read_dead_letter(job_id, dead_letter)
        return JobView(job_id, "dead", stored.failure.tries, dead_letter=stored)
    message = read_result(codec, result or b"", job_id)
    return JobView(job_id, "done" if message["s"] else "failed", message["t"] or 1, result=message)


def is_deferred(score: float, now_ms: float) -> bool:
    """Whether a job with that due time waits for it, and not for a worker; both in milliseconds."""
    return score > now_ms + 1000


async def _queue_time(redis: "Redis[bytes]", redis_ms: int, score: float) -> int:
    if not is_deferred(score, redis_ms):
        # The queues' time is never earlier, so the job is due.
        return redis_ms
    try:
        noted, ahead = await redis.hmget(keys.CLOCK, ["noted", "ahead"])
    except ResponseError:
        # A key of another type, or rules for producers from before they could read this key.
        return redis_ms
    return queue_time_ms(redis_ms, noted, ahead)


def read_result(codec: Codec, data: bytes, job_id: str) -> dict[str, Any]:
    """Return the decoded result message of a job. Raises `InvalidEnvelope` if the bytes are not one of that job."""
    try:
        message = codec.decode(data)
        check_job_id(message, job_id)
    except InvalidEnvelope as error:
        raise type(error)(f"{job_id} has ended, but its result is not accepted: {error}") from None
    if "s" not in message:
        raise InvalidEnvelope(f"{job_id}: its result key holds a job, not a result")
    return message


async def read_envelope(redis: "Redis[bytes]", codec: Codec, job_id: str) -> dict[str, Any] | None:
    """Return the decoded envelope of a job that has not ended; `None` if there is no readable one."""
    try:
        data = await redis.get(keys.JOB + job_id)
        if data is None:
            return None
        message = codec.decode(data)
        check_job_id(message, job_id)
    except (InvalidEnvelope, ResponseError):
        # A key of another type, or bytes that are not a message of this job: the job exists all the same.
        return None
    return message
