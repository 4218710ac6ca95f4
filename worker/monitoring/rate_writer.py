"""Writes what has ended in this worker to Redis, for the rates of all workers."""

from redis.asyncio import Redis

from worker.monitoring.tallies import Tallies, difference
from worker.queue.rates import JobKey, JobTally, RateStore
from worker.redis.errors import REDIS_ERRORS

WRITE_EVERY_S = 2.0


class RateWriter:
    """Writes only what has changed; an idle worker writes nothing."""

    def __init__(self, redis: "Redis[bytes]", tallies: Tallies) -> None:
        self._store = RateStore(redis)
        self._tallies = tallies
        self._written: dict[JobKey, JobTally] = tallies.job_tallies()

    async def write(self) -> None:
        """Write what has ended since the last call. If Redis is unavailable, the next call writes it too."""
        now = self._tallies.job_tallies()
        added = difference(now, self._written)
        if not added:
            return
        try:
            await self._store.add(added)
        except REDIS_ERRORS:
            # The engine logs an outage. Rates of the minutes before it are of no use after it.
            return
        self._written = now
