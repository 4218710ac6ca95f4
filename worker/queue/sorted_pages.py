"""Pages of a sorted set, by cursor: their cost does not grow with its length."""

from typing import NamedTuple

from redis.asyncio import Redis


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
    start = await _position_after(redis, key, cursor, newest_first=newest_first)
    found = await redis.zrange(key, start, start + count - 1, desc=newest_first, withscores=True)
    return [Entry(member, score) for member, score in found]


async def _position_after(redis: "Redis[bytes]", key: str, cursor: str, *, newest_first: bool) -> int:
    score, _, stored = cursor.partition(":")
    try:
        member, known = bytes.fromhex(stored), float(score)
    except ValueError:
        return 0
    rank = await (redis.zrevrank(key, member) if newest_first else redis.zrank(key, member))
    if rank is not None:
        return int(rank) + 1
    if known != known:  # noqa: PLR0124 (not a number: Redis refuses it)
        return 0
    before = (f"({known!r}", "+inf") if newest_first else ("-inf", f"({known!r}")
    return int(await redis.zcount(key, *before))
