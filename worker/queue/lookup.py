"""What is known of one job, in whatever state it is."""

from dataclasses import dataclass
from typing import Any, Literal

from arq.connections import ArqRedis

from worker.codec import Codec
from worker.contract import JOBS, LANES
from worker.queue import keys
from worker.queue.letters import DeadLetter

JobState = Literal["queued", "deferred", "running", "done", "failed", "dead", "unknown"]


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as Redis holds it; `result` is the decoded result message of a job that has ended."""

    job_id: str
    state: JobState
    tries: int
    job: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    letter: DeadLetter | None = None


async def look_up(redis: ArqRedis, codec: Codec, job_id: str) -> JobView:
    """Return what is known of the job `job_id`."""
    spec = JOBS.get(job_id.partition(":")[0])
    lanes = (spec.lane,) if spec else LANES
    async with redis.pipeline(transaction=True) as pipe:
        pipe.get(keys.RESULT + job_id)
        pipe.get(keys.JOB + job_id)
        pipe.exists(keys.IN_PROGRESS + job_id)
        pipe.get(keys.TRIES + job_id)
        pipe.hget(keys.DEAD, job_id)
        pipe.time()
        for lane in lanes:
            pipe.zscore(lane, job_id)
        result, job, running, tries, letter, (seconds, _), *scores = await pipe.execute()
    if letter:
        told = DeadLetter.model_validate_json(letter)
        return JobView(job_id, "dead", told.failure.tries, letter=told)
    if result:
        message = codec.decode(result)
        return JobView(job_id, "done" if message["s"] else "failed", message["t"] or 1, result=message)
    score = next((score for score in scores if score is not None), None)
    if job is None and score is None:
        return JobView(job_id, "unknown", 0)
    state: JobState = "queued"
    if running:
        state = "running"
    elif score is not None and score > seconds * 1000 + 1000:
        state = "deferred"
    return JobView(job_id, state, int(tries or 0), job=codec.decode(job) if job else None)
