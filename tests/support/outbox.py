"""An outbox in memory, and jobs to put into it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from worker.codec import Codec
from worker.contract.outbox import OutboxJob, OutboxPage, OutboxSize, Place
from worker.errors import RegistryError

NOW = datetime(2026, 11, 28, tzinfo=UTC)
_PAGE = 3


def envelope(job_id: str) -> bytes:
    """Return an envelope with a digest, as all in the outbox have one."""
    record = {"hospital_name": "Mercy", "source": "cms", "external_id": job_id}
    call = {"f": job_id.partition(":")[0], "a": [{"record": record}], "et": 1}
    return Codec().encode({"d": "0123456789abcdef", **call})


class MemoryOutbox:
    """The jobs that a test adds. `errors` has what the next calls raise, by the name of the method.

    `unreadable` is how many documents on its first page are no jobs.
    """

    def __init__(self) -> None:
        self.jobs: dict[Place, OutboxJob] = {}
        self.errors: dict[str, RegistryError] = {}
        self.pages = 0
        self.unreadable = 0
        self.watching = asyncio.Event()
        self._changes: asyncio.Queue[OutboxJob] = asyncio.Queue()

    def add(self, hospital_id: str, job_id: str = "", *, told: bool = True, delay_ms: int = 0) -> OutboxJob:
        """Add a job of a hospital after those that it has had; `told`: the change stream shows it."""
        seq = 1 + max((place.seq for place in self.jobs if place.hospital_id == hospital_id), default=0)
        name = job_id or f"ingest_hospital:outbox:{hospital_id}-{seq}"
        job = OutboxJob(Place(hospital_id, seq), name, NOW, delay_ms)
        self.jobs[job.place] = job
        if told:
            self._changes.put_nowait(job)
        return job

    def left(self) -> list[str]:
        """Return the ids of the jobs that it has, by hospital and in order."""
        return [self.jobs[place].job_id for place in sorted(self.jobs)]

    async def find(self, places: Collection[Place]) -> list[OutboxJob]:
        self._check("find")
        return [self.jobs[place] for place in places if place in self.jobs]

    async def envelopes(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        self._check("envelopes")
        return {place: envelope(self.jobs[place].job_id) for place in places if place in self.jobs}

    async def page(self, after: Any) -> OutboxPage:
        self._check("page")
        self.pages += 1
        first: dict[str, OutboxJob] = {}
        for place in sorted(self.jobs):
            if after is None or place.hospital_id > after:
                first.setdefault(place.hospital_id, self.jobs[place])
        heads = list(first.values())[:_PAGE]
        last = heads[-1].place.hospital_id if len(first) > _PAGE else None
        return OutboxPage(heads, last, self.unreadable if after is None else 0)

    async def remove(self, places: Collection[Place]) -> None:
        self._check("remove")
        for place in places:
            self.jobs.pop(place, None)

    async def size(self) -> OutboxSize:
        self._check("size")
        oldest = min((job.due for job in self.jobs.values()), default=None)
        return OutboxSize(len(self.jobs) + self.unreadable, oldest)

    @asynccontextmanager
    async def added(self) -> AsyncGenerator[Callable[[], Awaitable[list[OutboxJob]]], None]:
        self._check("added")

        async def next_added() -> list[OutboxJob]:
            self._check("next_added")
            try:
                async with asyncio.timeout(0.05):
                    return [await self._changes.get()]
            except TimeoutError:
                return []

        self.watching.set()
        yield next_added

    def _check(self, method: str) -> None:
        if (error := self.errors.get(method)) is not None:
            raise error
