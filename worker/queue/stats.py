"""How long the queue is, and who works on it."""

from dataclasses import asdict, dataclass
from typing import Any

from redis.asyncio import Redis

from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, read_heartbeats, redis_time
from worker.queue.scripts import QueueCounts, Scripts

# Jobs of a function that nobody knows are met anew every few seconds.
_UNKNOWN_FOR_MS = 60_000


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue: jobs that wait and are due, that are deferred, that are in flight; the oldest due one's wait."""

    waiting: int
    deferred: int
    in_flight: int
    oldest_wait_s: float

    @classmethod
    def of(cls, counts: QueueCounts, now_ms: int) -> "QueueState":
        """Return the state that `counts` describe at `now_ms`."""
        return cls(
            waiting=counts.due,
            deferred=max(0, counts.total - counts.due - counts.in_flight),
            in_flight=counts.in_flight,
            oldest_wait_s=max(0.0, (now_ms - counts.oldest_ms) / 1000) if counts.oldest_ms >= 0 else 0.0,
        )


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The whole queue: its queues, dead letters, the workers' last words, and functions that nobody knows."""

    queues: dict[str, QueueState]
    dead: int
    workers: list[tuple[Heartbeat, float]]
    """Each with its age in seconds."""
    unknown_functions: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the same with plain values."""
        return {
            "queues": {queue: asdict(state) for queue, state in self.queues.items()},
            "dead": self.dead,
            "workers": [
                {**heartbeat.model_dump(mode="json"), "age_s": round(age, 1)} for heartbeat, age in self.workers
            ],
            "unknown_functions": self.unknown_functions,
        }


async def read_stats(redis: "Redis[bytes]", queues: tuple[str, ...]) -> QueueStats:
    """Return the state of `queues` now."""
    counts = await Scripts(redis).counts(queues)
    now = await redis_time(redis)
    heartbeats = await read_heartbeats(redis)
    met_since = counts.now_ms - _UNKNOWN_FOR_MS
    unknown = await redis.zrangebyscore(keys.UNKNOWN, met_since, "+inf")
    return QueueStats(
        queues={queue: QueueState.of(found, counts.now_ms) for queue, found in counts.queues.items()},
        dead=counts.dead,
        workers=[(heartbeat, heartbeat.age_s(now)) for heartbeat in heartbeats],
        unknown_functions=sorted(name.decode(errors="backslashreplace") for name in unknown),
    )
