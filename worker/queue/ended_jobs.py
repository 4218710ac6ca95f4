"""The stream in Redis of how jobs have ended, from finish.lua until a worker has moved it to MongoDB."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from worker.contract.job_ends import EndGroup, without, worker_in
from worker.queue import keys

# Of up to 100 jobs each: about 1 MB.
_PER_CALL = 100
# The year 2286: entries of other programs may have any id.
_LAST_MS = 10**13
_LONGEST_WORKER = 200
# The id of an entry, as it begins the id of a group.
_GROUP_ID = re.compile(r"([0-9]{13})-([0-9]{6,15})-")


class EndedJobs:
    """The stream on one connection pool. Methods raise redis-py's errors."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis

    async def length(self) -> int:
        """Return how many entries the stream has."""
        return int(await self._redis.xlen(keys.ENDED))

    async def oldest(self, count: int) -> list[tuple[bytes, EndGroup | None]]:
        """Return the oldest entries with their ids; `None` for one that another program wrote."""
        found = await self._redis.xrange(keys.ENDED, count=count)
        return [(entry_id, _group(entry_id, fields)) for entry_id, fields in found]

    async def delete(self, entry_ids: Iterable[bytes]) -> None:
        """Delete entries that are stored elsewhere."""
        await self._redis.xdel(keys.ENDED, *entry_ids)

    async def take_left_out(self) -> int:
        """Return how many ends were left out because the stream was full, and reset that count."""
        # A key of another type is another program's, and raises here instead of being deleted below.
        if await self._redis.get(keys.ENDED_LEFT_OUT) is None:
            return 0
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.get(keys.ENDED_LEFT_OUT)
            pipe.delete(keys.ENDED_LEFT_OUT)
            found, _ = await pipe.execute()
        return int(found) if found and found.isdigit() else 0

    async def newest(self, last: str = "") -> AsyncIterator[EndGroup]:
        """Yield the groups that are in the stream, the newest first; none for a user that may not read it.

        `last` begins with the id of the group to begin with; otherwise they begin with the newest.
        """
        found_id = _GROUP_ID.match(last)
        before = f"{int(found_id[1])}-{int(found_id[2])}" if found_id else "+"
        while True:
            try:
                found = await self._redis.xrevrange(keys.ENDED, max=before, count=_PER_CALL)
            except NoPermissionError:
                return
            for entry_id, fields in found:
                if (group := _group(entry_id, fields)) is not None:
                    yield group
            if len(found) < _PER_CALL:
                return
            before = f"({found[-1][0].decode()}"


def _group(entry_id: bytes, fields: Mapping[bytes, Any] | None) -> EndGroup | None:
    milliseconds, _, sequence = entry_id.decode().partition("-")
    traces = (fields or {}).get(b"t", b"").decode(errors="replace")
    worker = worker_in(traces)
    if worker is None or int(milliseconds) >= _LAST_MS:
        return None
    left_out = (fields or {}).get(b"x", b"").split()
    if left_out:
        traces = without(traces, frozenset(int(position) for position in left_out if position.isdigit()))
    worker = worker[:_LONGEST_WORKER]
    # With the worker, because another Redis of the same registry may have given the same id.
    group_id = f"{int(milliseconds):013}-{int(sequence):06}-{worker}"
    return EndGroup(group_id, int(milliseconds), worker, traces)
