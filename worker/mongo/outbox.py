"""The outbox as its relay sees it: jobs that other programs have written in transactions of their own.

Only what the majority has is read: a job of a transaction that is rolled back must never reach its queue.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

from pymongo import ASCENDING, IndexModel
from pymongo.read_concern import ReadConcern

from worker.contract.outbox import OutboxJob, OutboxPage, OutboxSize, Place
from worker.errors import TransientError
from worker.mongo.client import Document, MongoHandle, settled
from worker.mongo.errors import translated
from worker.mongo.outbox_writes import OUTBOX

OUTBOX_INDEXES = [IndexModel([("due", ASCENDING)])]

PAGE = 250
_HIGHEST_SEQ = 2**63 - 1
_BEFORE_ALL: Document = {"hospital": "", "seq": 0}
_WITHOUT_ENVELOPE = {"envelope": False}
# A longer wait holds up the end of a worker.
_AWAIT_MS = 500
_LONGEST_AWAIT_S = 1.0

T = TypeVar("T")


class Outbox:
    """The outbox of one registry. Methods raise the errors of `worker.mongo.errors`."""

    def __init__(self, mongo: MongoHandle) -> None:
        self._jobs = mongo.database.get_collection(OUTBOX, read_concern=ReadConcern("majority"))

    async def find(self, places: Collection[Place]) -> list[OutboxJob]:
        """Return the jobs at those of these places that have one."""
        return _readable(await self._at(places, _WITHOUT_ENVELOPE))

    async def envelopes(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the envelopes of the jobs at those of these places that have one."""
        found = await self._at(places, {"envelope": True})
        return {_place(each): each["envelope"] for each in found}

    async def page(self, after: Any) -> OutboxPage:
        """Return the first job of each of some hospitals that come after an id; `None`: the first hospitals."""
        with translated():
            found = await (
                self._jobs.find({"_id": {"$gt": _BEFORE_ALL if after is None else after}}, _WITHOUT_ENVELOPE)
                .sort("_id", ASCENDING)
                .limit(PAGE)
                .to_list(None)
            )
        first: dict[str, OutboxJob] = {}
        for job in _readable(found):
            first.setdefault(job.place.hospital_id, job)
        return OutboxPage(list(first.values()), _end_of_hospital(found[-1]) if len(found) == PAGE else None)

    async def remove(self, places: Collection[Place]) -> None:
        """Remove jobs that have ended."""
        with translated():
            await self._jobs.delete_many({"_id": {"$in": [_id(place) for place in places]}})

    async def size(self) -> OutboxSize:
        """Return how much is in the outbox, in time that does not grow with it."""
        with translated():
            count = await self._jobs.estimated_document_count()
            oldest = await self._jobs.find_one({}, {"due": True}, sort=[("due", ASCENDING)])
        due = oldest.get("due") if oldest else None
        return OutboxSize(count, due if isinstance(due, datetime) else None)

    @asynccontextmanager
    async def added(self) -> AsyncGenerator[Callable[[], Awaitable[list[OutboxJob]]], None]:
        """Watch for jobs that are added from now on.

        Yields what waits up to half a second for one and returns it. No change is remembered or repeated: whoever
        watches must look through the pages once it has begun, and after every error.
        """
        pipeline: list[Document] = [
            {"$match": {"operationType": "insert"}},
            {"$project": {"fullDocument.envelope": False}},
        ]
        with translated():
            stream: Any = await settled(self._jobs.watch(pipeline, max_await_time_ms=_AWAIT_MS))
            async with stream:

                async def next_added() -> list[OutboxJob]:
                    with translated():
                        change = await _until_read(stream.try_next())
                    if change is None and not stream.alive:
                        raise TransientError("MongoDB has ended the change stream of the outbox")
                    return [] if change is None else _readable([change["fullDocument"]])

                yield next_added

    async def _at(self, places: Collection[Place], fields: Mapping[str, bool]) -> list[Document]:
        if not places:
            return []
        with translated():
            return await self._jobs.find({"_id": {"$in": [_id(place) for place in places]}}, fields).to_list(None)


def _id(place: Place) -> Document:
    return {"hospital": place.hospital_id, "seq": place.seq}


def _place(found: Document) -> Place:
    return Place(found["_id"]["hospital"], found["_id"]["seq"])


def _end_of_hospital(found: Document) -> Document:
    """Return an id after those of all jobs of the same hospital, however many it has."""
    match found["_id"]:
        case {"hospital": str(hospital_id), "seq": int()}:
            return {"hospital": hospital_id, "seq": _HIGHEST_SEQ}
        case other:
            # Another program wrote it past the validator.
            unknown: Document = other
            return unknown


def _readable(documents: Sequence[Document]) -> list[OutboxJob]:
    """Return documents as jobs, without those that another program has written past the validator."""
    jobs = []
    for document in documents:
        match document:
            case {
                "_id": {"hospital": str(hospital_id), "seq": int(seq)},
                "job": str(job_id),
                "due": datetime() as due,
                "delay_ms": int(delay_ms),
            }:
                jobs.append(OutboxJob(Place(hospital_id, seq), job_id, due, delay_ms))
    return jobs


async def _until_read(reading: Awaitable[T]) -> T:
    """Return what is read. If this task is cancelled, let the read end first, which takes half a second.

    A stream must not be closed while a driver's thread reads from it. A server that is frozen is not waited for.
    """
    task = asyncio.ensure_future(reading)
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
