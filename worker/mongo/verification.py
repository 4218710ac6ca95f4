"""Checks the audit log: that every chain is whole, and that every registered hospital is as it was logged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.read_concern import ReadConcern

from worker.mongo.audit import entry_hash
from worker.mongo.client import Document, MongoHandle, settled
from worker.mongo.failures import translated

_NAMED = 100
_ACCEPTED = ["registered", "amended", "withdrawn"]


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """The first entry at which a chain does not hold, and what is wrong there."""

    log_id: str
    hospital_id: str
    seq: int
    problem: Literal["missing_seq", "wrong_prev_hash", "wrong_hash"]


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a check found.

    `entries`: how many were read, up to the broken one. `unlogged`: identities, of 100 at most, of registered
    hospitals whose last accepted log entry is missing or shows another revision; `unlogged_count`: of all.
    """

    entries: int
    broken: BrokenEntry | None
    unlogged: tuple[str, ...]
    unlogged_count: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken is None and not self.unlogged_count


async def verify_chain(mongo: MongoHandle, hospital_id: str | None = None) -> ChainReport:
    """Check the chain of one hospital, or all, in constant memory.

    Raises the errors of `worker.mongo.failures`.
    """
    with translated():
        entries, broken = await _verify_entries(mongo, hospital_id)
        unlogged, unlogged_count = await _find_unlogged(mongo, hospital_id)
    return ChainReport(entries, broken, tuple(unlogged), unlogged_count)


async def _verify_entries(mongo: MongoHandle, hospital_id: str | None) -> tuple[int, BrokenEntry | None]:
    logs = mongo.logs.with_options(read_concern=ReadConcern("majority"))
    query = {} if hospital_id is None else {"hospital_id": hospital_id}
    previous: Document | None = None
    entries = 0
    async with _closing(logs.find(query, sort=[("hospital_id", 1), ("seq", 1)])) as cursor:
        async for entry in cursor:
            entries += 1
            if previous is not None and previous["hospital_id"] != entry["hospital_id"]:
                previous = None
            if (problem := _problem(previous, entry)) is not None:
                return entries, BrokenEntry(entry["_id"], entry["hospital_id"], entry["seq"], problem)
            previous = entry
    return entries, None


def _problem(
    previous: Document | None, entry: Document
) -> Literal["missing_seq", "wrong_prev_hash", "wrong_hash"] | None:
    if entry["seq"] != (previous["seq"] + 1 if previous else 1):
        return "missing_seq"
    if entry["prev_hash"] != (previous["hash"] if previous else None):
        return "wrong_prev_hash"
    if entry["hash"] != entry_hash(entry):
        return "wrong_hash"
    return None


async def _find_unlogged(mongo: MongoHandle, hospital_id: str | None) -> tuple[list[str], int]:
    """Find what the chains cannot show: a hospital that was written past the log, or a log cut at its end."""
    hospitals = mongo.hospitals.with_options(read_concern=ReadConcern("majority"))
    query: Document = {"status": "registered"}
    if hospital_id is not None:
        query["_id"] = hospital_id
    last_accepted: Document = {
        "from": "logs",
        "localField": "_id",
        "foreignField": "hospital_id",
        "pipeline": [
            {"$match": {"event": {"$in": _ACCEPTED}}},
            {"$sort": {"seq": -1}},
            {"$limit": 1},
            {"$project": {"revision": "$after.revision"}},
        ],
        "as": "logged",
    }
    pipeline = [
        {"$match": query},
        {"$project": {"revision": True}},
        {"$lookup": last_accepted},
        {"$match": {"$expr": {"$ne": [["$revision"], "$logged.revision"]}}},
        {"$project": {"_id": True}},
    ]
    named: list[str] = []
    count = 0
    async with _closing(await settled(hospitals.aggregate(pipeline))) as cursor:
        async for hospital in cursor:
            count += 1
            if count <= _NAMED:
                named.append(hospital["_id"])
    return named, count


_Cursor = AsyncCursor[Document] | AsyncCommandCursor[Document]


@asynccontextmanager
async def _closing(cursor: _Cursor) -> AsyncIterator[_Cursor]:
    try:
        yield cursor
    finally:
        await cursor.close()
