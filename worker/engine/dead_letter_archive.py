"""Keeps the dead letters within bounds: the oldest beyond them are moved from Redis to a file, never dropped."""

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from worker.engine.context import EngineContext
from worker.engine.events import DeadLettersMoved, DeadLettersNotMoved
from worker.escaping import escape_json
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore, StoredDeadLetter
from worker.queue.fleet_lock import FleetLock
from worker.queue.heartbeats import redis_time

INTERVAL_S = 5.0
# One of a fleet's workers moves at a time. Two would write the same dead letters twice, which is harmless.
_LOCK_MS = 60_000
_PAGE = 100
_PAGE_BYTES = 16 * 1024 * 1024
_MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimits:
    """How many dead letters stay in Redis, and the folder to which the oldest are moved beyond that.

    `days` bounds their age, `count` their number, `bytes` what they and their payloads take; `None`: no bound.
    """

    folder: Path
    days: float | None = None
    count: int | None = None
    bytes: int | None = None


class DeadLetterArchive:
    """Moves dead letters to a file of this worker's own, in the format of `hospital-worker dead export`."""

    def __init__(self, context: EngineContext, limits: DeadLetterLimits) -> None:
        self._redis = context.redis
        self._store = DeadLetterStore(context.redis)
        self._limits = limits
        self._lock = FleetLock(context.redis, keys.DEAD_ARCHIVER, context.worker_id, _LOCK_MS)
        self._events = context.events
        self._file = limits.folder / f"dead-letters-{context.worker_id.replace(':', '-')}.ndjson"
        # Jobs may have filled the event loop's own executor.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="dead-letter-archive")

    async def trim(self) -> None:
        """Move what is beyond the bounds; if the file cannot be written, everything stays in Redis."""
        if not await self._lock.acquire():
            return
        moved = 0
        try:
            excess = await self._excess()
            while excess > 0 and (page := await self._store.oldest(min(excess, _PAGE), _PAGE_BYTES)):
                await self._write(page)
                moved += await self._store.discard_unchanged(page)
                excess -= len(page)
        except _FileError as error:
            self._events.send(DeadLettersNotMoved(str(self._file), str(error)))
        finally:
            if moved:
                self._events.send(DeadLettersMoved(moved, str(self._file)))
            await self._lock.release()

    async def _excess(self) -> int:
        """Return how many of the oldest dead letters are beyond a bound."""
        limits, total = self._limits, await self._redis.zcard(keys.DEAD_INDEX)
        excess = 0
        if limits.days is not None:
            now_ms = (await redis_time(self._redis)).timestamp() * 1000
            excess = await self._redis.zcount(keys.DEAD_INDEX, "-inf", now_ms - limits.days * _MS_PER_DAY)
        if limits.count is not None:
            excess = max(excess, total - limits.count)
        if limits.bytes is not None:
            excess = max(excess, total - await self._newest_within(limits.bytes))
        return int(excess)

    async def _newest_within(self, most_bytes: int) -> int:
        """Return how many of the newest dead letters take at most so many bytes together."""
        count = 0
        while sizes := await self._store.sizes(count):
            fitting = newest_within(reversed(sizes), most_bytes)
            count += fitting
            if fitting < len(sizes):
                break
            most_bytes -= sum(sizes)
        return count

    async def _write(self, page: Iterable[StoredDeadLetter]) -> None:
        lines = "".join(escape_json(stored.dead_letter.model_dump_json()) + "\n" for stored in page if stored.data)
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, _append, self._file, lines.encode())
        except OSError as error:
            raise _FileError(error.strerror or type(error).__name__) from None


class _FileError(Exception):
    """The file cannot be written. Not an `OSError`, which would look like a lost connection to Redis."""


def newest_within(sizes: Iterable[int], most: int) -> int:
    """Return how many of the first `sizes` add up to at most `most`."""
    count = 0
    for size in sizes:
        most -= size
        if most < 0:
            break
        count += 1
    return count


def _append(file: Path, lines: bytes) -> None:
    # Private, because dead letters contain payloads.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as target:
        end = os.fstat(target.fileno()).st_size
        try:
            written = 0
            while written < len(lines):
                written += target.write(lines[written:])
            # Only then are they deleted from Redis.
            os.fsync(target.fileno())
        except OSError:
            # The disk may be full. Half a line would spoil the first line that is written after it.
            os.ftruncate(target.fileno(), end)
            raise
