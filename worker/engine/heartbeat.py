"""Writes this worker's heartbeat: that it lives, whether it takes jobs, and what it has done."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from arq.utils import timestamp_ms

from worker.engine.context import EngineContext
from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat

_UNKNOWN_KEPT, _LONGEST_NAME = 100, 200


class UnknownFunctions:
    """Collects the names of functions that this worker was asked for and does not have."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def add(self, name: str) -> None:
        """Take the name of one function."""
        self._names.add(name[:_LONGEST_NAME])

    def take(self) -> list[str]:
        """Return at most 100 of the names collected since the last call.

        Any program that can write to Redis can make up names, so their number and length are limited.
        """
        names = list(self._names)[:_UNKNOWN_KEPT]
        self._names.clear()
        return names


class ReasonTimes:
    """Remembers since when a worker gives a reason for not being ready, or for holding the jobs of a function."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def note(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return the heartbeat with the times of its reasons. A reason that was gone in between begins anew."""
        reasons = [reason for reason in (heartbeat.why_not, *heartbeat.held) if reason]
        self._since = {reason: self._since.get(reason, heartbeat.at) for reason in reasons}
        return heartbeat.model_copy(update={"since": self._since})


class HeartbeatWriter:
    """Writes the heartbeat, the names of unknown functions, and while ready the key of `arq --check`.

    `describe` returns the heartbeat for Redis's time, `record_health` writes arq's key.
    """

    def __init__(
        self,
        context: EngineContext,
        unknown_functions: UnknownFunctions,
        describe: Callable[[datetime], Heartbeat],
        record_health: Callable[[], Awaitable[None]],
    ) -> None:
        self._redis = context.redis
        self._unknown_functions = unknown_functions
        self._describe = describe
        self._record_health = record_health
        self._reason_times = ReasonTimes()

    async def beat(self) -> None:
        """Write everything once."""
        heartbeat = self._reason_times.note(self._describe(await redis_time(self._redis)))
        await write_heartbeat(self._redis, heartbeat)
        names = self._unknown_functions.take()
        if names:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(keys.UNKNOWN, dict.fromkeys(names, timestamp_ms()))
                pipe.zremrangebyrank(keys.UNKNOWN, 0, -_UNKNOWN_KEPT - 1)
                await pipe.execute()
        if heartbeat.ready:
            await self._record_health()
