"""What a producer asks Redis while it waits for jobs to end: see lua/wait.lua, and the end of lua/finish.lua."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from worker.codec import Codec
from worker.queue import keys
from worker.queue.job_state import EndedView, look_up_ended
from worker.queue.script_source import script_source

MOST_IDS = 500
"""The most jobs that one call asks for."""
_NOTE_LIFE_MS = 60_000


class Over(NamedTuple):
    """The jobs that nobody needs to wait for; `without_notice`: some of them have ended without a notice."""

    ids: list[str]
    without_notice: bool


class Waiters:
    """One producer that waits, under a name of its own. Every call raises redis-py's errors."""

    def __init__(self, redis: "Redis[bytes]", codec: Codec) -> None:
        self._redis = redis
        self._codec = codec
        self.name = secrets.token_hex(8)
        self._wait = redis.register_script(script_source("wait"))

    async def over(self, job_ids: Sequence[str], *, note: bool) -> Over:
        """Return those of up to `MOST_IDS` jobs that have ended or are not known.

        With `note`, Redis notes for a minute that this producer waits for the others: `wait` returns their ids.
        """
        life_ms = _NOTE_LIFE_MS if note else 0
        positions: list[int] = await self._wait(keys=[keys.DEAD], args=[self.name, life_ms, *job_ids])
        return Over(
            [job_ids[abs(position) - 1] for position in positions], any(position < 0 for position in positions)
        )

    async def wait(self, seconds: float) -> list[str]:
        """Wait up to `seconds` for noted jobs to end, and return the ids of those that have."""
        answer = await self._redis.blpop([keys.NOTICES + self.name], timeout=seconds)
        return [] if answer is None else [_text(answer[1]), *await self.take_ended()]

    async def take_ended(self) -> list[str]:
        """Return the ids of noted jobs that have ended since the last call."""
        key = keys.NOTICES + self.name
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lrange(key, 0, -1)
            pipe.delete(key)
            ended, _ = await pipe.execute()
        return [_text(job_id) for job_id in ended]

    async def ended(self, job_ids: Sequence[str]) -> dict[str, EndedView]:
        """Return what is known of those of these jobs that have ended, or why that cannot be read."""
        return await look_up_ended(self._redis, self._codec, job_ids)


def _text(job_id: bytes) -> str:
    return job_id.decode(errors="backslashreplace")
