"""The store of dead letters: what an operator can do with jobs that will not be retried automatically."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError
from redis.asyncio import Redis

from worker.errors import RegistryError
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_text, read_dead_letter
from worker.queue.dead_letter_filter import DeadLetterFilter
from worker.queue.exported_dead_letters import ImportedDeadLetter
from worker.queue.script_source import script_source
from worker.queue.scripts import Enqueue, Scripts

_PAGE = 200
_SIZES = 1_000
# Bytes below 0x80 are text, so an escape of one of them is part of the id itself.
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


class DeadLetterNotFound(RegistryError):
    """No dead letter has this job id."""


class StoredDeadLetter(NamedTuple):
    """A dead letter with its payload and history, the id that it is stored under, and the bytes that were read."""

    stored_id: bytes
    data: bytes
    dead_letter: DeadLetter


class DeadLetterStore:
    """Lists, shows, retries and discards dead letters."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def get(self, job_id: str) -> DeadLetter:
        """Return one dead letter with its payload and history. Raises `DeadLetterNotFound`."""
        return (await self.find(job_id)).dead_letter

    async def find(self, job_id: str) -> StoredDeadLetter:
        """Return one as it is stored, for `discard_unchanged`. Raises `DeadLetterNotFound`."""
        if (stored_id := await self._found(job_id)) is not None:
            stored = await self._read(stored_id)
            if stored.data:
                return stored
        raise DeadLetterNotFound(f"{job_id}: no dead letter has this id; `hospital-worker dead list` shows all")

    async def all(self, *, function: str | None = None, error: str | None = None) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, oldest first, if asked only those of one function or one class of error.

        They come without their payloads, except those that an earlier version stored together.
        """
        async for page in self.pages(DeadLetterFilter(function=function, error=error)):
            for found in page:
                yield found.dead_letter

    async def pages(
        self, wanted: DeadLetterFilter, job_ids: Sequence[str] | None = None
    ) -> AsyncIterator[list[StoredDeadLetter]]:
        """Yield the selected dead letters by the page, oldest first, or those of `job_ids` that there are.

        They come without history, and without payload except those that an earlier version stored together. A page
        may be empty.
        """
        # All ids first, then page by page: positions would shift if entries were removed meanwhile.
        ids = await self._all_ids() if job_ids is None else await self._found_ids(job_ids)
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            stored = zip(page, await self._redis.hmget(keys.DEAD, page), strict=True)
            read = [StoredDeadLetter(it, data, read_dead_letter(_shown(it), data)) for it, data in stored if data]
            yield [found for found in read if wanted.has(found.dead_letter)]

    async def _all_ids(self) -> list[bytes]:
        ids: list[bytes] = await self._redis.zrange(keys.DEAD_INDEX, 0, -1)
        if await self._redis.hlen(keys.DEAD) > len(ids):
            # Entries were removed from the index; their dead letters still exist.
            indexed = set(ids)
            ids += [stored_id for stored_id in await self._redis.hkeys(keys.DEAD) if stored_id not in indexed]
        return ids

    async def _found_ids(self, job_ids: Sequence[str]) -> list[bytes]:
        return [found for job_id in job_ids if (found := await self._found(job_id)) is not None]

    async def oldest(self, count: int, most_bytes: int) -> list[StoredDeadLetter]:
        """Return the oldest dead letters with their payloads; fewer than `count` if they reach `most_bytes`."""
        found: list[StoredDeadLetter] = []
        size = 0
        for stored_id in await self._redis.zrange(keys.DEAD_INDEX, 0, count - 1):
            found.append(await self._read(stored_id))
            size += len(found[-1].data) + len(found[-1].dead_letter.payload)
            if size >= most_bytes:
                break
        return found

    async def sizes(self, newest: int) -> list[int]:
        """Return the bytes of some dead letters, oldest first: of those that come before the `newest` ones."""
        return await self._scripts.dead_sizes(-newest - _SIZES, -newest - 1)

    async def discard_unchanged(self, read: Sequence[StoredDeadLetter]) -> int:
        """Delete dead letters that are still as they were read; returns how many were."""
        return await self._scripts.discard((stored.stored_id, stored.data) for stored in read)

    async def retry(self, dead_letters: Sequence[DeadLetter], *, per_second: float | None = None) -> int:
        """Put dead letters back on their queues as new jobs, spread over time if `per_second` limits the rate.

        Those without a payload stay as they are: an empty job would only overwrite its dead letter. Returns how
        many still were dead letters.
        """
        count = 0
        whole = [dead_letter for dead_letter in dead_letters if dead_letter.has_payload]
        for start in range(0, len(whole), _PAGE):
            part = whole[start : start + _PAGE]
            count += await self._scripts.redrive(
                Enqueue(
                    dead_letter.job_id,
                    dead_letter.queue,
                    # Redis keeps the payload itself, unless an earlier version stored the dead letter.
                    b"" if dead_letter.payload_bytes else dead_letter.envelope,
                    int((start + position) / per_second * 1000) if per_second else 0,
                )
                for position, dead_letter in enumerate(part)
            )
            # Lets other commands run between two pages.
            await asyncio.sleep(0)
        return count

    async def store(self, letters: Sequence[ImportedDeadLetter]) -> int:
        """Store dead letters that were exported, unless there is one, or a job, of their id; returns how many."""
        arguments: list[bytes | str | int] = []
        for dead_letter, envelope in letters:
            history = [failure.model_dump_json() for failure in dead_letter.history]
            stored_id = _stored_ids(dead_letter.job_id)[-1]
            arguments += [stored_id, dead_letter.stored(), envelope, len(history), *history]
        script = self._redis.register_script(script_source("dead_import"))
        return int(await script(keys=[keys.DEAD, keys.DEAD_INDEX], args=arguments))

    async def _read(self, stored_id: bytes) -> StoredDeadLetter:
        """Return what is stored under an id; without data if that is nothing."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(keys.DEAD, stored_id)
            pipe.lrange(keys.HISTORY.encode() + stored_id, 0, -1)
            pipe.get(keys.DEAD_PAYLOAD.encode() + stored_id)
            data, history, envelope = await pipe.execute()
        dead_letter = read_dead_letter(_shown(stored_id), data or b"")
        found: dict[str, object] = {"history": [entry for stored in history if (entry := _read_failure(stored))]}
        if envelope is not None:
            found["payload"] = payload_text(envelope)
        return StoredDeadLetter(stored_id, data or b"", dead_letter.model_copy(update=found))

    async def _found(self, job_id: str) -> bytes | None:
        """Return the key under which the dead letter of this id is stored; `None` if there is none."""
        for stored_id in _stored_ids(job_id):
            if await self._redis.hexists(keys.DEAD, stored_id):
                return stored_id
        return None


def _shown(stored_id: bytes) -> str:
    return stored_id.decode(errors="backslashreplace")


def _read_failure(stored: bytes) -> Failure | None:
    try:
        return Failure.model_validate_json(stored)
    except ValidationError:
        return None


def _stored_ids(job_id: str) -> list[bytes]:
    """Return the keys that may store a dead letter: an id that is not UTF-8 is shown with its bytes escaped."""
    shown = job_id.encode(errors="backslashreplace")
    stored = _ESCAPED_BYTE.sub(lambda escaped: bytes.fromhex(escaped[1].decode()), shown)
    return [shown] if stored == shown else [shown, stored]
