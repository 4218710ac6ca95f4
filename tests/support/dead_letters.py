"""Dead letters put into Redis by hand: forged, of other versions, or simply without a worker that makes them."""

from typing import Any

from worker.queue import keys
from worker.queue.dead_letter import DeadLetter


async def store_dead_letter(redis: Any, dead_letter: DeadLetter, at_ms: int = 1) -> None:
    """Store a dead letter as finish.lua does, `at_ms` being when the job died."""
    await redis.hset(keys.DEAD, dead_letter.job_id, dead_letter.model_dump_json())
    await redis.zadd(keys.DEAD_INDEX, {dead_letter.job_id: at_ms})
