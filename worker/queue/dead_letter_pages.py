"""Dead letters page by page, newest first: the cost of a page does not grow with how many there are."""

from typing import NamedTuple

from redis.asyncio import Redis

from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, read_dead_letter
from worker.queue.sorted_pages import Entry, read_entries

_READ_AT_ONCE = 100
# With a filter that few match, a page ends after so many, and the next one goes on from there.
_MOST_READ = 1_000


class Listed(NamedTuple):
    """A dead letter without its payload, and when it became one, in milliseconds."""

    dead_letter: DeadLetter
    at_ms: float


class DeadLetterPage(NamedTuple):
    """Some dead letters. `cursor` is where the next page begins, empty if this is the last."""

    listed: list[Listed]
    cursor: str


async def read_dead_letters(
    redis: "Redis[bytes]", cursor: str, count: int, *, function: str = "", error: str = ""
) -> DeadLetterPage:
    """Return at most `count` dead letters after `cursor`, newest first; an empty filter matches every one.

    A page can have fewer, or none, and still have a cursor: it ends after 1,000 dead letters that do not match.
    Raises redis-py's errors.
    """
    listed: list[Listed] = []
    for _ in range(_MOST_READ // _READ_AT_ONCE):
        entries = await read_entries(redis, keys.DEAD_INDEX, cursor, _READ_AT_ONCE, newest_first=True)
        for entry, dead_letter in await _with_letters(redis, entries):
            if len(listed) == count:
                return DeadLetterPage(listed, cursor)
            cursor = entry.cursor()
            if (
                dead_letter is not None
                and function in ("", dead_letter.function)
                and error in ("", dead_letter.failure.type)
            ):
                listed.append(Listed(dead_letter, entry.score))
        if len(entries) < _READ_AT_ONCE:
            return DeadLetterPage(listed, "")
    return DeadLetterPage(listed, cursor)


async def _with_letters(redis: "Redis[bytes]", entries: list[Entry]) -> list[tuple[Entry, DeadLetter | None]]:
    """Return each entry with its dead letter; without one if that was retried or discarded meanwhile."""
    if not entries:
        return []
    stored = await redis.hmget(keys.DEAD, [entry.member for entry in entries])
    return [
        (entry, read_dead_letter(entry.member.decode(errors="backslashreplace"), data) if data else None)
        for entry, data in zip(entries, stored, strict=True)
    ]
