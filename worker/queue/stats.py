"""How long the queue is, and who works on it."""

from dataclasses import asdict, dataclass
from typing import Any

from arq.connections import ArqRedis

from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, read_heartbeats, redis_time
from worker.queue.scripts import LaneCounts, Scripts

# Jobs of a function that nobody knows are met anew every few seconds.
_UNKNOWN_FOR_MS = 60_000


@dataclass(frozen=True, slots=True)
class LaneState:
    """One lane: jobs that wait and are due, that are deferred, that are in flight; the oldest due one's wait."""

    waiting: int
    deferred: int
    in_flight: int
    oldest_wait_s: float

    @classmethod
    def of(cls, counts: LaneCounts, now_ms: int) -> "LaneState":
        """Return the state that `counts` describe at `now_ms`."""
        return cls(
            waiting=counts.due,
            deferred=max(0, counts.total - counts.due - counts.in_flight),
            in_flight=counts.in_flight,
            oldest_wait_s=max(0.0, (now_ms - counts.oldest_ms) / 1000) if counts.oldest_ms >= 0 else 0.0,
        )


@dataclass(frozen=True, slots=True)
class QueueState:
    """The whole queue: its lanes, dead letters, the workers' last words, and functions that nobody knows."""

    lanes: dict[str, LaneState]
    dead: int
    workers: list[tuple[Heartbeat, float]]
    """Each with its age in seconds."""
    unknown_functions: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the same with plain values."""
        return {
            "lanes": {lane: asdict(state) for lane, state in self.lanes.items()},
            "dead": self.dead,
            "workers": [
                {**heartbeat.model_dump(mode="json"), "age_s": round(age, 1)} for heartbeat, age in self.workers
            ],
            "unknown_functions": self.unknown_functions,
        }


async def read_queue(redis: ArqRedis, lanes: tuple[str, ...]) -> QueueState:
    """Return the state of `lanes` now."""
    counts = await Scripts(redis).counts(lanes)
    now = await redis_time(redis)
    heartbeats = await read_heartbeats(redis)
    met_since = counts.now_ms - _UNKNOWN_FOR_MS
    unknown = await redis.zrangebyscore(keys.UNKNOWN, met_since, "+inf")
    return QueueState(
        lanes={lane: LaneState.of(found, counts.now_ms) for lane, found in counts.lanes.items()},
        dead=counts.dead,
        workers=[(heartbeat, heartbeat.age_s(now)) for heartbeat in heartbeats],
        unknown_functions=sorted(name.decode(errors="backslashreplace") for name in unknown),
    )
