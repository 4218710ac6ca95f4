"""Requests to abort jobs, as arq's `Job.abort` makes them."""

from redis.asyncio import Redis

from worker.queue import keys


async def request_abort(redis: "Redis[bytes]", job_id: str | bytes) -> None:
    """Ask workers not to run a job, or to stop running it. It may have ended before they notice."""
    seconds, _ = await redis.time()
    await redis.zadd(keys.ABORT, {job_id: seconds * 1000})


async def make_due(redis: "Redis[bytes]", job_id: str | bytes, queue: str, at_ms: int) -> None:
    """Let a deferred job be due at an instant in the past, so that a worker ends it as aborted within a second."""
    await redis.zadd(queue, {job_id: at_ms}, xx=True)
