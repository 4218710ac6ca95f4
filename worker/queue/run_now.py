"""A deferred job that is to run now."""

from redis.asyncio import Redis

from worker.queue.script_source import script_source


async def run_now(redis: "Redis[bytes]", job_id: bytes, queue: str) -> bool:
    """Let a deferred job be due now, and wake a worker; returns whether it was. Raises redis-py's errors."""
    return bool(await redis.register_script(script_source("run_now"))(keys=[queue], args=[job_id]))
