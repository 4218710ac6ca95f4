"""Writes dead letters directly to Redis: forged ones, those of other versions, or any without running a worker."""

from typing import Any

from worker.queue import keys
from worker.queue.dead_letter import DeadLetter


async def store_dead_letter(redis: Any, dead_letter: DeadLetter, at_ms: int = 1) -> None:
    """Store a dead letter as finish.lua does. `at_ms` is the time at which the job was dead-lettered."""
    await redis.hset(keys.DEAD, dead_letter.job_id, dead_letter.model_dump_json())
    await redis.zadd(keys.DEAD_INDEX, {dead_letter.job_id: at_ms})
