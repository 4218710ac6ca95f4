"""How long the queues are, and which workers serve them."""

from dataclasses import asdict, dataclass, field
from typing import Any

from redis.asyncio import Redis

from worker.queue import keys
from worker.queue.batches import BatchProgress, BatchStore
from worker.queue.heartbeats import Heartbeat, read_heartbeats, redis_time
from worker.queue.pauses import Pause, read_pauses
from worker.queue.scripts import QueueCounts, Scripts

# Jobs of an unknown function return to a worker every few seconds.
_UNKNOWN_FOR_MS = 60_000
# Each is read by itself.
_MOST_BATCHES = 50


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue: due jobs that wait, deferred jobs, jobs in flight, and how long the oldest due job has waited."""

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
    """All queues, the dead letters, the workers' heartbeats, functions that no worker has, and running batches.

    `more_batches` is how many batches run besides those in `batches`.
    """

    queues: dict[str, QueueState]
    dead: int
    workers: list[tuple[Heartbeat, float]]
    """Each with its age in seconds."""
    unknown_functions: list[str]
    batches: list[BatchProgress]
    more_batches: int
    pauses: list[Pause] = field(default_factory=list)
    now_ms: float = 0
    """Redis's time."""

    def as_json(self) -> dict[str, Any]:
        """Return the same with plain values."""
        return {
            "queues": {queue: asdict(state) for queue, state in self.queues.items()},
            "dead": self.dead,
            "workers": [
                {**heartbeat.model_dump(mode="json"), "age_s": round(age, 1)} for heartbeat, age in self.workers
            ],
            "unknown_functions": self.unknown_functions,
            "batches": [
                {
                    "batch": batch.batch_id,
                    "state": batch.state,
                    "total": batch.total,
                    "done": batch.ended,
                    "outcomes": batch.outcomes,
                    "counts": dict(batch.counts),
                    "created_at": batch.created_at.isoformat(),
                }
                for batch in self.batches
            ],
            "more_batches": self.more_batches,
            "paused": [asdict(pause) for pause in self.pauses],
        }


async def read_stats(redis: "Redis[bytes]", queues: tuple[str, ...]) -> QueueStats:
    """Return the state of `queues` now."""
    counts = await Scripts(redis).counts(queues)
    now = await redis_time(redis)
    heartbeats = await read_heartbeats(redis)
    asked_since = counts.now_ms - _UNKNOWN_FOR_MS
    batches, more_batches = await BatchStore(redis).running(_MOST_BATCHES)
    unknown = await redis.zrangebyscore(keys.UNKNOWN, asked_since, "+inf")
    return QueueStats(
        queues={queue: QueueState.of(found, counts.now_ms) for queue, found in counts.queues.items()},
        dead=counts.dead,
        workers=[(heartbeat, heartbeat.age_s(now)) for heartbeat in heartbeats],
        unknown_functions=sorted(name.decode(errors="backslashreplace") for name in unknown),
        batches=batches,
        more_batches=more_batches,
        pauses=await read_pauses(redis),
        now_ms=now.timestamp() * 1000,
    )
