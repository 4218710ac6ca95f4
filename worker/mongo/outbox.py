"""The outbox as its relay sees it: jobs that other programs have written in transactions of their own.

Only what the majority has is read: a job of a transaction that is rolled back must never reach its queue.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, IndexModel
from pymongo.read_concern import ReadConcern

from worker.contract.outbox import OutboxJob, OutboxPage, OutboxSize, Place
from worker.errors import TransientError
from worker.hidden_task import hidden
from worker.mongo.client import Document, MongoHandle, settled
from worker.mongo.errors import translated
from worker.mongo.outbox_documents import JOB_FIELDS, RAW, decoded, end_of_hospital, envelope_in, jobs_in
from worker.mongo.outbox_writes import OUTBOX

OUTBOX_INDEXES = [IndexModel([("due", ASCENDING)])]

PAGE = 250
_BEFORE_ALL: Document = {"hospital": "", "seq": 0}
# A value of another type, which another program has written, would come first.
_DATES = {"$gt": datetime(1970, 1, 1, tzinfo=UTC)}
# A longer wait would delay the end of a worker.
_AWAIT_MS = 500
_LONGEST_AWAIT_S = 1.0

T = TypeVar("T")


class Outbox:
    """The outbox of one registry. Methods raise the errors of `worker.mongo.errors`."""

    def __init__(self, mongo: MongoHandle) -> None:
        self._jobs: Any = mongo.database.get_collection(
            OUTBOX, codec_options=RAW, read_concern=ReadConcern("majority")
        )

    async def find(self, places: Collection[Place]) -> list[OutboxJob]:
        """Return the jobs at those of these places that have one."""
        return jobs_in(await self._at(places, JOB_FIELDS))

    async def envelopes(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the envelopes of the jobs at those of these places that have one."""
        found = await self._at(places, {"envelope": True})
        return dict(pair for document in found if (pair := envelope_in(document)) is not None)

    async def page(self, after: Any) -> OutboxPage:
        """Return the first job of each of some hospitals that come after an id; `None`: the first hospitals."""
        with translated():
            found: list[RawBSONDocument] = await (
                self._jobs.find({"_id": {"$gt": _BEFORE_ALL if after is None else after}}, JOB_FIELDS)
                .sort("_id", ASCENDING)
                .limit(PAGE)
                .to_list(None)
            )
        jobs = jobs_in(found)
        first: dict[str, OutboxJob] = {}
        for job in jobs:
            first.setdefault(job.place.hospital_id, job)
        last = end_of_hospital(found[-1]) if len(found) == PAGE else None
        return OutboxPage(list(first.values()), last, unreadable=len(found) - len(jobs))

    async def remove(self, places: Collection[Place]) -> None:
        """Remove jobs that have ended."""
        with translated():
            await self._jobs.delete_many({"_id": {"$in": [_id(place) for place in places]}})

    async def size(self) -> OutboxSize:
        """Return how much is in the outbox, in time that does not grow with it."""
        with translated():
            count = await self._jobs.estimated_document_count()
            oldest = await self._jobs.find_one(
                {"due": _DATES}, {"_id": False, "due": True}, sort=[("due", ASCENDING)]
            )
        fields = decoded(oldest) if oldest is not None else None
        return OutboxSize(count, fields["due"] if fields is not None else None)

    @asynccontextmanager
    async def added(self) -> AsyncGenerator[Callable[[], Awaitable[list[OutboxJob]]], None]:
        """Watch for jobs that are added from now on.

        Yields what waits up to half a second for one and returns it. No change is remembered or repeated: whoever
        watches must look through the pages once it has begun, and after every error.
        """
        pipeline: list[Document] = [
            {"$match": {"operationType": "insert"}},
            {"$set": {"fullDocument.envelope": {"$type": "$fullDocument.envelope"}}},
        ]
        with translated():
            stream: Any = await settled(self._jobs.watch(pipeline, max_await_time_ms=_AWAIT_MS))
            async with stream:

                async def next_added() -> list[OutboxJob]:
                    with translated():
                        change = await _until_read(stream.try_next())
                    if change is None and not stream.alive:
                        raise TransientError("MongoDB has ended the change stream of the outbox")
                    return [] if change is None else jobs_in([change["fullDocument"]])

                yield next_added

    async def _at(self, places: Collection[Place], fields: Mapping[str, Any]) -> list[RawBSONDocument]:
        if not places:
            return []
        with translated():
            found: list[RawBSONDocument] = await self._jobs.find(
                {"_id": {"$in": [_id(place) for place in places]}}, fields
            ).to_list(None)
        return found


def _id(place: Place) -> Document:
    return {"hospital": place.hospital_id, "seq": place.seq}


async def _until_read(reading: Awaitable[T]) -> T:
    """Return what is read. If this task is cancelled, let the read end first, which takes half a second.

    A stream must not be closed while a driver's thread reads from it. A server that is frozen is not waited for.
    """
    task = hidden(asyncio.ensure_future(reading))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        deadline = asyncio.get_running_loop().time() + _LONGEST_AWAIT_S
        while not task.done() and (left := deadline - asyncio.get_running_loop().time()) > 0:
            # Cancelled again, because it takes long.
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task}, timeout=left)
        # Retrieved, or asyncio would report an error of it as never retrieved.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        raise
