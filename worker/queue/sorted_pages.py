"""Pages of a sorted set, by cursor: their cost does not grow with its length."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from redis.asyncio import Redis

# By how many places an entry may have moved since its place was asked for: those before it come and go.
_MOVED = 200


class Entry(NamedTuple):
    """A member of a sorted set, and its score."""

    member: bytes
    score: float

    def cursor(self) -> str:
        """Return what `read_entries` takes to go on after this entry."""
        return f"{self.score!r}:{self.member.hex()}"


async def read_entries(
    redis: "Redis[bytes]", key: str, cursor: str, count: int, *, newest_first: bool = False
) -> list[Entry]:
    """Return the next entries, at most `count`, by ascending score, or descending if `newest_first`.

    They begin after the entry of `cursor`, or with the first one if it is empty or not a cursor. If that entry has
    gone, they begin with those of its score, so that none is left out. Raises redis-py's errors.
    """
    score, _, stored = cursor.partition(":")
    try:
        member, known = bytes.fromhex(stored), float(score)
    except ValueError:
        member, known = b"", math.nan
    if math.isnan(known):
        return _entries(await redis.zrange(key, 0, count - 1, desc=newest_first, withscores=True))
    rank = await (redis.zrevrank(key, member) if newest_first else redis.zrank(key, member))
    if rank is not None:
        first, last = max(0, rank - _MOVED), rank + count + _MOVED
        around = _entries(await redis.zrange(key, first, last, desc=newest_first, withscores=True))
        position = next((at for at, entry in enumerate(around, 1) if entry.member == member), None)
        if position is not None:
            return around[position : position + count]
    end = "-inf" if newest_first else "+inf"
    return _entries(
        await redis.zrange(
            key, repr(known), end, desc=newest_first, byscore=True, offset=0, num=count, withscores=True
        )
    )


def _entries(found: Iterable[tuple[bytes, float]]) -> list[Entry]:
    return [Entry(member, score) for member, score in found]
