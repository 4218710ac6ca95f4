"""Searches how jobs have ended: what is in MongoDB, and what a worker has not moved there yet."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import NamedTuple

from redis.asyncio import Redis

from worker.contract.job_ends import EndFilter, EndGroup, PastEnd
from worker.mongo.client import MongoHandle
from worker.mongo.job_history import find_groups
from worker.queue.ended_jobs import EndedJobs

_MOST_OF_ONE_JOB = 20


class HistoryPage(NamedTuple):
    """The ends that a search has found, the newest first, and whether there are more."""

    found: list[PastEnd]
    more: bool


async def search_history(
    redis: "Redis[bytes]", mongo: MongoHandle, wanted: EndFilter, *, limit: int, after: str = ""
) -> HistoryPage:
    """Return up to `limit` ends, the newest first; `after` is the cursor of an end, and older ones are returned.

    Raises redis-py's errors and those of `worker.mongo.errors`.
    """
    # Redis first: what is moved meanwhile is then found in MongoDB.
    found = await _matching(EndedJobs(redis).newest(), wanted, limit + 1, after)
    async with aclosing(find_groups(mongo, wanted, after.rpartition("/")[0])) as groups:
        found += await _matching(groups, wanted, limit + 1, after)
    newest = sorted({end.cursor: end for end in found}.items(), reverse=True)
    return HistoryPage([end for _, end in newest[:limit]], len(newest) > limit)


async def ends_of(redis: "Redis[bytes]", mongo: MongoHandle, job_id: str) -> tuple[PastEnd, ...]:
    """Return the latest ends of a job's id, the newest first. Raises as `search_history` does."""
    page = await search_history(redis, mongo, EndFilter(job_id=job_id), limit=_MOST_OF_ONE_JOB)
    return tuple(page.found)


async def _matching(groups: AsyncIterator[EndGroup], wanted: EndFilter, limit: int, after: str) -> list[PastEnd]:
    found: list[PastEnd] = []
    async for group in groups:
        found += [end for end in group.ends() if (not after or end.cursor < after) and wanted.matches(end)]
        if len(found) >= limit:
            break
    return found
