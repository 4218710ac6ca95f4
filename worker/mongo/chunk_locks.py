"""Locks on the hospitals of a chunk: chunks that share one are ingested one after the other."""

import asyncio
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager


class ChunkLocks:
    """The identities of the chunks that this process is ingesting.

    No result depends on it: other processes ingest at the same time. But of two chunks that insert one hospital at
    once the later is refused, and then MongoDB inserts each hospital of its command by itself, for twice the cost.
    Lists often repeat a row a little further down.
    """

    def __init__(self) -> None:
        self._running: dict[asyncio.Event, Set[str]] = {}

    @asynccontextmanager
    async def hold(self, hospital_ids: Set[str]) -> AsyncIterator[None]:
        """Wait until no other chunk has one of these hospitals, and keep them for as long as the context lasts."""
        while (other := self._conflicting(hospital_ids)) is not None:
            await other.wait()
        ended = asyncio.Event()
        self._running[ended] = hospital_ids
        try:
            yield
        finally:
            del self._running[ended]
            ended.set()

    def _conflicting(self, hospital_ids: Set[str]) -> asyncio.Event | None:
        for ended, others in self._running.items():
            if not others.isdisjoint(hospital_ids):
                return ended
        return None
