"""Finds entries of the audit log by time and actor."""

from collections.abc import AsyncGenerator

from pymongo import ASCENDING, DESCENDING

from worker.mongo.act_filter import ActFilter
from worker.mongo.audit.tolerant_reads import majority
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import translated

# By default the server sends 16 MB at a time, which takes ten times as much memory as Python objects.
_BATCH = 1_000
_CHAINS = [("hospital_id", ASCENDING), ("seq", ASCENDING)]
_NEWEST_FIRST = [("at", DESCENDING), ("hospital_id", ASCENDING), ("seq", DESCENDING)]


async def find_entries(mongo: MongoHandle, wanted: ActFilter) -> AsyncGenerator[Document, None]:
    """Yield the matching entries chain by chain, in the order of each, holding one batch in memory at a time.

    A caller that does not read to the end must close the iterator (`contextlib.aclosing`). Raises the errors of
    `worker.mongo.errors`.
    """
    with translated():
        cursor = majority(mongo.logs).find(wanted.query(), sort=_CHAINS, batch_size=_BATCH)
        try:
            async for entry in cursor:
                yield entry
        finally:
            await cursor.close()


async def newest_entries(mongo: MongoHandle, wanted: ActFilter, limit: int) -> list[Document]:
    """Return the latest of the matching entries, the newest first. Raises the errors of `worker.mongo.errors`."""
    # No index has the time, because each would cost every audited operation; the server keeps only the latest.
    with translated():
        return await majority(mongo.logs).find(wanted.query(), sort=_NEWEST_FIRST, limit=limit).to_list(None)
