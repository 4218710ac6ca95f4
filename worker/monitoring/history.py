"""Searches how jobs have ended: what is in MongoDB, and what a worker has not moved there yet."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from redis.asyncio import Redis

from worker.contract.job_ends import EndFilter, EndGroup, PastEnd
from worker.mongo.client import MongoHandle
from worker.mongo.job_history import find_groups
from worker.queue.ended_jobs import EndedJobs

_MOST_OF_ONE_JOB = 20
_MOST_GROUPS_WAITING = 200


class HistoryPage(NamedTuple):
    """The ends that a search has found, the newest first, and whether there are more.

    `cursor` is where a search for more goes on. There may be more although nothing was found: see `most_groups`.
    """

    found: list[PastEnd]
    more: bool
    cursor: str


class _Part(NamedTuple):
    """What was found in one place; `reached` is the cursor down to which it was searched, empty if to its end."""

    found: list[PastEnd]
    reached: str


async def search_history(
    redis: "Redis[bytes]",
    mongo: MongoHandle,
    wanted: EndFilter,
    *,
    limit: int,
    after: str = "",
    most_groups: int | None = None,
) -> HistoryPage:
    """Return up to `limit` ends, the newest first; `after` is the cursor of an end, and older ones are returned.

    With `most_groups` the search gives up after so many groups of up to 100 jobs in each of the two places, so that
    it takes little time however rare what is wanted is. Raises redis-py's errors and those of
    `worker.mongo.errors`.
    """
    # Redis first: what is moved meanwhile is then found in MongoDB.
    waiting = await _search(EndedJobs(redis).newest(after), wanted, limit + 1, after, most_groups)
    async with aclosing(find_groups(mongo, wanted, after.rpartition("/")[0])) as groups:
        return _page([waiting, await _search(groups, wanted, limit + 1, after, most_groups)], limit)


async def search_waiting(
    redis: "Redis[bytes]", wanted: EndFilter, *, limit: int, after: str, most_groups: int
) -> HistoryPage:
    """Return what `search_history` returns, but only of what was not moved to MongoDB yet."""
    return _page([await _search(EndedJobs(redis).newest(after), wanted, limit + 1, after, most_groups)], limit)


async def ends_of(redis: "Redis[bytes]", mongo: MongoHandle, job_id: str) -> tuple[PastEnd, ...]:
    """Return the latest ends of a job's id, the newest first. Raises as `search_history` does."""
    page = await search_history(redis, mongo, EndFilter(job_id=job_id), limit=_MOST_OF_ONE_JOB)
    return tuple(page.found)


async def waiting_ends_of(redis: "Redis[bytes]", job_id: str) -> tuple[PastEnd, ...]:
    """Return what `ends_of` returns, but only of the latest ends that were not moved to MongoDB yet."""
    wanted = EndFilter(job_id=job_id)
    page = await search_waiting(redis, wanted, limit=_MOST_OF_ONE_JOB, after="", most_groups=_MOST_GROUPS_WAITING)
    return tuple(page.found)


async def latest_ends(redis: "Redis[bytes]", mongo: MongoHandle, functions: Sequence[str]) -> dict[str, PastEnd]:
    """Return how the latest job of each function ended, of those that can be found quickly.

    Raises as `search_history` does.
    """
    found: dict[str, PastEnd] = {}
    looked_at = 0
    async for group in EndedJobs(redis).newest():
        found = {past.end.function: past for past in reversed(group.ends())} | found
        looked_at += 1
        if looked_at == _MOST_GROUPS_WAITING:
            # What MongoDB has is older than what was not looked at.
            return found
    missing = [function for function in functions if function not in found]
    stored = await asyncio.gather(*(_latest_stored(mongo, function) for function in missing))
    return found | {past.end.function: past for past in stored if past is not None}


async def _latest_stored(mongo: MongoHandle, function: str) -> PastEnd | None:
    wanted = EndFilter(function=function)
    async with aclosing(find_groups(mongo, wanted, "", limit=1)) as groups:
        return next(iter((await _search(groups, wanted, 1, "", None)).found), None)


def _page(parts: Sequence[_Part], limit: int) -> HistoryPage:
    # Beyond what one place was searched down to, ends may be missing.
    reached = max(part.reached for part in parts)
    found = {end.cursor: end for part in parts for end in part.found if end.cursor > reached}
    newest = [end for _, end in sorted(found.items(), reverse=True)]
    if len(newest) > limit:
        return HistoryPage(newest[:limit], more=True, cursor=newest[limit - 1].cursor)
    return HistoryPage(newest, more=bool(reached), cursor=reached)


async def _search(
    groups: AsyncIterator[EndGroup], wanted: EndFilter, limit: int, after: str, most_groups: int | None
) -> _Part:
    found: list[PastEnd] = []
    looked_at = 0
    async for group in groups:
        found += [end for end in group.ends() if (not after or end.cursor < after) and wanted.matches(end)]
        looked_at += 1
        if len(found) >= limit or looked_at == most_groups:
            # Before the cursors of all its ends.
            return _Part(found, f"{group.group_id}/")
    return _Part(found, "")
