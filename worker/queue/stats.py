"""How long the queues are, and which workers serve them."""

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from worker.queue import keys
from worker.queue.batches import BatchProgress, BatchStore
from worker.queue.heartbeats import (
    STALE_AFTER_S,
    Heartbeat,
    OutboxState,
    outbox_state,
    read_heartbeats,
    redis_time,
)
from worker.queue.pauses import Pause, read_pauses
from worker.queue.rates import JobKey, RateStore, Window
from worker.queue.scripts import QueueCounts, Scripts

# Jobs of an unknown function return to a worker every few seconds.
_UNKNOWN_FOR_MS = 60_000
# Batches are read one by one.
_MOST_BATCHES = 50


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue: due jobs that wait, deferred jobs, jobs in flight, and how long the oldest due job has waited.

    `longest_run_s` is how long the oldest running try has run, as the workers' last heartbeats say.
    """

    waiting: int
    deferred: int
    in_flight: int
    oldest_wait_s: float
    longest_run_s: float = 0.0

    @classmethod
    def of(cls, counts: QueueCounts, now_ms: int, longest_run_s: float = 0.0) -> "QueueState":
        """Return the state that `counts` describe at `now_ms`."""
        return cls(
            waiting=counts.due,
            deferred=max(0, counts.total - counts.due - counts.in_flight),
            in_flight=counts.in_flight,
            oldest_wait_s=max(0.0, (now_ms - counts.oldest_ms) / 1000) if counts.oldest_ms >= 0 else 0.0,
            longest_run_s=longest_run_s if counts.in_flight else 0.0,
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
    windows: list[Window] = field(default_factory=list)
    """What ended lately on all workers."""
    unreadable_queues: list[str] = field(default_factory=list)
    """Queues of workers that this user may not read, so that nothing is known of them."""

    @property
    def outbox(self) -> OutboxState | None:
        """What is in the outbox, if a worker has said so lately."""
        return outbox_state(self.workers)

    def rates(self) -> dict[JobKey, list[Window]]:
        """Return the windows for each queue and function of which something ended within the longest of them."""
        return dict.fromkeys(sorted({key for window in self.windows for key in window.jobs}), self.windows)

    def as_json(self) -> dict[str, Any]:
        """Return the same with plain values."""
        return {
            "queues": {queue: asdict(state) for queue, state in self.queues.items()},
            "dead": self.dead,
            "workers": [
                {**heartbeat.model_dump(mode="json"), "age_s": round(age, 1)} for heartbeat, age in self.workers
            ],
            "unknown_functions": self.unknown_functions,
            "unreadable_queues": self.unreadable_queues,
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
            "outbox": self.outbox.as_json(self.now_ms) if self.outbox is not None else None,
            "paused": [asdict(pause) for pause in self.pauses],
            "rates": [
                {
                    "queue": queue,
                    "function": function,
                    "minutes": {str(window.seconds // 60): window.as_json((queue, function)) for window in windows},
                }
                for (queue, function), windows in self.rates().items()
            ],
        }


async def read_stats(redis: "Redis[bytes]", queues: tuple[str, ...]) -> QueueStats:
    """Return the state of `queues` and of those of the workers now, in time that does not grow with their length.

    One round trip; a further one for each queue that workers serve and that is not among `queues`.
    """
    counts, now, heartbeats, (batches, more_batches), windows = await asyncio.gather(
        Scripts(redis).counts(queues),
        redis_time(redis),
        read_heartbeats(redis),
        BatchStore(redis).running(_MOST_BATCHES),
        RateStore(redis).read(),
    )
    unknown = await redis.zrangebyscore(keys.UNKNOWN, counts.now_ms - _UNKNOWN_FOR_MS, "+inf")
    workers = [(heartbeat, heartbeat.age_s(now)) for heartbeat in heartbeats]
    # A worker that is gone may have left a backlog on a queue that nobody else serves.
    served = sorted({queue for heartbeat in heartbeats for queue in heartbeat.queues} - counts.queues.keys())
    others, unreadable = await _counts_of_others(redis, served)
    return QueueStats(
        queues={
            queue: QueueState.of(found, counts.now_ms, _longest_run_s(queue, workers))
            for queue, found in (counts.queues | others).items()
        },
        dead=counts.dead,
        workers=workers,
        unknown_functions=sorted(name.decode(errors="backslashreplace") for name in unknown),
        batches=batches,
        more_batches=more_batches,
        pauses=await read_pauses(redis),
        now_ms=now.timestamp() * 1000,
        windows=windows,
        unreadable_queues=unreadable,
    )


async def _counts_of_others(redis: "Redis[bytes]", queues: list[str]) -> tuple[dict[str, QueueCounts], list[str]]:
    """Return what is on queues, and those that may not be read: the rules of a user may name its own alone."""
    counts: dict[str, QueueCounts] = {}
    unreadable: list[str] = []
    for queue in queues:
        try:
            counts |= (await Scripts(redis).counts([queue])).queues
        except NoPermissionError:
            unreadable.append(queue)
    return counts, unreadable


def _longest_run_s(queue: str, workers: list[tuple[Heartbeat, float]]) -> float:
    found = [
        heartbeat.longest_run_s[queue] + age_s
        for heartbeat, age_s in workers
        if queue in heartbeat.longest_run_s and age_s <= STALE_AFTER_S
    ]
    return max(found, default=0.0)
