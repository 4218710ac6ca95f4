"""Whether Redis answers this worker, and how long to wait before the next call if it does not."""

import asyncio
import math
import time
from collections.abc import Callable

from worker.backoff import Backoff
from worker.engine.events import Events, RedisBack, RedisLost
from worker.redis.errors import error_code

_BACKOFF = Backoff(first_s=0.05, longest_s=1)
# With `maxclients` reached, open connections are served and new ones refused: every other call fails.
_AGAIN_AFTER_S = 1.0


class RedisHealth:
    """Shared by the loops of one worker that call Redis.

    `is_up` turns false with a failed call and true with the next one that succeeds. Each change is one event, but a
    loss that follows another one within a second is sent only if it has a new code, or still lasts then. A call
    that met a key of another type is only repeated later: Redis is well, and `readiness` reports the key.

    `clock` returns monotonic seconds.
    """

    def __init__(self, events: Events, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_up = True
        self._events = events
        self._clock = clock
        self._failures = 0
        self._is_reported = False
        self._reported_at = -math.inf
        self._reported_codes: set[str] = set()

    async def failed(self, error: Exception) -> None:
        """Note a failed call and wait before the next one: 50 ms at first, up to a second, with jitter."""
        code = error_code(error)
        if code != "WRONGTYPE":
            self.is_up = False
            self._report(type(error).__name__, code)
        self._failures += 1
        await asyncio.sleep(_BACKOFF.delay_s(self._failures))

    def answered(self) -> None:
        """Note a call that succeeded."""
        self.is_up = True
        if self._is_reported:
            self._is_reported = False
            self._events.send(RedisBack(self._failures))
        self._failures = 0

    def _report(self, error_class: str, code: str) -> None:
        """Send the loss, unless it is known."""
        now = self._clock()
        if not self._is_reported and now - self._reported_at >= _AGAIN_AFTER_S:
            self._reported_codes.clear()
        # A call that is blocked when Redis is demoted is answered with UNBLOCKED; only the next one shows the
        # reason.
        elif not code or code in self._reported_codes:
            return
        self._is_reported, self._reported_at = True, now
        self._reported_codes.add(code)
        self._events.send(RedisLost(error_class, code))
