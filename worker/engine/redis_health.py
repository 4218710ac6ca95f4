"""Whether Redis answers this worker, and how long to wait before the next call if it does not."""

import asyncio

from worker.backoff import Backoff
from worker.engine.events import Events, RedisBack, RedisLost
from worker.redis.errors import error_code

_BACKOFF = Backoff(first_s=0.05, longest_s=1)


class RedisHealth:
    """Shared by the loops of one worker that call Redis.

    `is_up` turns false with the first failed call and true with the next one that succeeds. Each change is one
    event. A call that met a key of another type is only repeated later: Redis is well, and `readiness` reports the
    key.
    """

    def __init__(self, events: Events) -> None:
        self.is_up = True
        self._events = events
        self._failures = 0
        self._reported_codes: set[str] = set()

    async def failed(self, error: Exception) -> None:
        """Note a failed call and wait before the next one: 50 ms at first, up to a second, with jitter."""
        code = error_code(error)
        # A call that is blocked when Redis is demoted is answered with UNBLOCKED; only the next one shows the
        # reason.
        if code != "WRONGTYPE" and (self.is_up or (code and code not in self._reported_codes)):
            self.is_up = False
            self._reported_codes.add(code)
            self._events.send(RedisLost(type(error).__name__, code))
        self._failures += 1
        await asyncio.sleep(_BACKOFF.delay_s(self._failures))

    def answered(self) -> None:
        """Note a call that succeeded."""
        if not self.is_up:
            self._events.send(RedisBack(self._failures))
            self.is_up = True
            self._reported_codes.clear()
        self._failures = 0
