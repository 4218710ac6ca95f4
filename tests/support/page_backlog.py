"""Very many waiting jobs and dead letters, for pages to show; planted directly, and never run."""

from typing import Any

from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure

_JOBS_AT_ONCE = 20_000
_LETTERS_AT_ONCE = 2_000
# Pages read the newest ones: these are as large as they can be.
_LARGE = 5_000


async def fill_queue(redis: Any, count: int, *, due_ms: float = 0) -> None:
    """Put jobs `job:0` and so on on the queue, without payloads: due from `due_ms` on, in this order."""
    for start in range(0, count, _JOBS_AT_ONCE):
        numbers = range(start, min(count, start + _JOBS_AT_ONCE))
        await redis.zadd(DEFAULT_QUEUE, {f"job:{number}": due_ms + number / 1_000_000 for number in numbers})


async def fill_dead_letters(redis: Any, count: int) -> None:
    """Store dead letters `dead:0` and so on, without payloads."""
    small = Failure(type="ValueError", message="m", tries=1, at_ms=1)
    large = small.model_copy(update={"message": "m" * 2_000, "traceback": "t" * 8_000})
    for start in range(0, count, _LETTERS_AT_ONCE):
        numbers = range(start, min(count, start + _LETTERS_AT_ONCE))
        await redis.zadd(keys.DEAD_INDEX, {f"dead:{number}": number for number in numbers})
        await redis.hset(
            keys.DEAD,
            mapping={
                f"dead:{number}": DeadLetter(
                    job_id=f"dead:{number}", function="f", queue=DEFAULT_QUEUE, payload_bytes=1, reason="r",
                    failure=large if number > count - _LARGE else small, crashes=0, worker="w",
                ).stored()
                for number in numbers
            },
        )  # fmt: skip
