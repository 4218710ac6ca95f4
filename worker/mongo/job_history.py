"""The collection `job_history`: how jobs have ended, one document for each group that ended together."""

import time
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError

from worker.contract.job_ends import EndFilter, EndGroup
from worker.mongo.client import Document, MongoHandle, settled
from worker.mongo.documents import now
from worker.mongo.errors import only_duplicates, translated

JOB_HISTORY = "job_history"
# Where the values of a group's ends are found, by the field of an end. Values that are not known are left out.
_FOUND_BY = {
    "job_id": "jobs",
    "function": "functions",
    "hospital_id": "hospitals",
    "outcome": "outcomes",
    "error": "errors",
    "batch": "batches",
}
# Each sorts by the id, and so by time.
HISTORY_INDEXES = [
    IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    *(IndexModel([(name, ASCENDING), ("_id", DESCENDING)]) for name in _FOUND_BY.values()),
]
_TRIM_INTERVAL_S = 3_600.0
# A group has no more: see worker/engine/completer.py.
_MOST_IN_GROUP = 100
_PER_DELETE = 1_000
# With their indexes and texts about 1 MB of answer.
_PER_ANSWER = 50


class JobHistory:
    """Keeps the history for so many days, and then of so many jobs at most.

    Methods raise the errors of `worker.mongo.errors`.
    """

    def __init__(self, mongo: MongoHandle, *, days: int, most_jobs: int) -> None:
        self._groups = mongo.database[JOB_HISTORY]
        self._kept = timedelta(days=days)
        self._most_jobs = most_jobs
        self._trimmed_at = 0.0

    async def store(self, groups: Sequence[EndGroup]) -> None:
        """Store groups; one that is stored already stays as it is. Once an hour, the oldest are removed."""
        expires_at = now() + self._kept
        documents = [_document(group, expires_at) for group in groups]
        with translated():
            try:
                if documents:
                    await self._groups.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                only_duplicates(error)
        if time.monotonic() - self._trimmed_at >= _TRIM_INTERVAL_S:
            self._trimmed_at = time.monotonic()
            await self.trim()

    async def trim(self) -> None:
        """Remove the oldest groups beyond the most jobs that are kept."""
        with translated():
            if await self._groups.estimated_document_count() * _MOST_IN_GROUP <= self._most_jobs:
                return
            excess = await self._count() - self._most_jobs
            while excess > 0:
                oldest = self._groups.find({}, {"ended": True}).sort("_id", ASCENDING).limit(_PER_DELETE)
                last: Any = None
                async for group in oldest:
                    if excess <= 0:
                        break
                    last, excess = group["_id"], excess - group["ended"]
                if last is None:
                    return
                await self._groups.delete_many({"_id": {"$lte": last}})

    async def _count(self) -> int:
        steps: list[Document] = [{"$group": {"_id": None, "ended": {"$sum": "$ended"}}}]
        cursor: Any = self._groups.aggregate(steps)
        return sum([found["ended"] async for found in await settled(cursor)])


async def find_groups(
    mongo: MongoHandle, wanted: EndFilter, before: str, *, limit: int = 0
) -> AsyncGenerator[EndGroup, None]:
    """Yield the groups that may have what is wanted, the newest first.

    `before` is the id of the newest group to look at; empty: all. A `limit` of 0 means no limit. A caller that does
    not read to the end must close the iterator. Raises the errors of `worker.mongo.errors`.
    """
    query: Document = {_FOUND_BY[field]: value for field, value in wanted.values()}
    bounds = {"$lte": before} if before else {}
    if wanted.since_ms is not None:
        bounds["$gte"] = f"{max(0, wanted.since_ms):013}"
    if wanted.until_ms is not None:
        # Ids begin with milliseconds, so all of that instant come after it.
        bounds["$lte"] = min(bounds.get("$lte", "~"), f"{max(0, wanted.until_ms):013}")
    if bounds:
        query["_id"] = bounds
    with translated():
        cursor = mongo.database[JOB_HISTORY].find(
            query, {"traces": True, "worker": True, "at": True}, limit=limit, batch_size=_PER_ANSWER
        )
        try:
            async for found in cursor.sort("_id", DESCENDING):
                if (group := _group(found)) is not None:
                    yield group
        finally:
            await cursor.close()


def _document(group: EndGroup, expires_at: datetime) -> Document:
    ends = group.traced()
    document: Document = {
        "_id": group.group_id,
        "at": datetime.fromtimestamp(group.stored_ms / 1000, UTC),
        "expires_at": expires_at,
        "worker": group.worker,
        "ended": len(ends),
        "traces": group.traces,
    }
    for field, name in _FOUND_BY.items():
        if values := set(map(attrgetter(field), ends)) - {""}:
            document[name] = list(values)
    return document


def _group(found: Document) -> EndGroup | None:
    """Return a group as it is stored; `None` for what another program has put there."""
    match found:
        case {"_id": str(group_id), "at": datetime() as at, "worker": str(worker), "traces": str(traces)}:
            return EndGroup(group_id, round(at.timestamp() * 1000), worker, traces)
    return None
