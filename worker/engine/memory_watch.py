"""Watches Redis's memory, so that an operator is warned well before Redis refuses writes or deletes jobs."""

from arq.connections import ArqRedis
from redis.exceptions import ResponseError

from worker.engine.events import Events, EvictionPolicySeen, MemoryLow

INTERVAL_S = 5.0
# Reported from the first share on, and again only after it was below the second.
_LOW_FROM, _LOW_UNTIL = 0.8, 0.75


class MemoryWatch:
    """Looks at `used_memory`, `maxmemory` and `maxmemory-policy` now and then.

    `problem` says why the worker is not ready, or is empty; it goes on claiming. A policy that was there from the
    start is only reported: arq's users may have chosen it.
    """

    def __init__(self, redis: ArqRedis, events: Events) -> None:
        self._redis = redis
        self._events = events
        self._is_low = False
        self._first_policy: str | None = None
        self._policy = "noeviction"
        self.problem = ""

    async def look(self) -> None:
        """Look once."""
        try:
            memory = await self._redis.info("memory")
        except ResponseError:
            # The user may not call INFO.
            return
        self._note_use(int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0)))
        self._note_policy(str(memory.get("maxmemory_policy", "noeviction")))

    def _note_use(self, used: int, limit: int) -> None:
        share = used / limit if limit else 0.0
        if share >= _LOW_FROM and not self._is_low:
            self._is_low = True
            self._events.send(MemoryLow(used, limit))
        elif share < _LOW_UNTIL:
            self._is_low = False

    def _note_policy(self, policy: str) -> None:
        if self._first_policy is None:
            self._first_policy = policy
        if policy not in (self._policy, "noeviction"):
            self._events.send(EvictionPolicySeen(policy))
        self._policy = policy
        may_delete = policy not in ("noeviction", self._first_policy)
        self.problem = f"Redis has maxmemory-policy {policy} and may delete jobs" if may_delete else ""
