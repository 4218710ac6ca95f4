"""The facts of the queues as metrics, read from Redis when they are asked for."""

import asyncio
from collections.abc import Sequence

from redis.asyncio import Redis

from worker.monitoring.samples import Samples
from worker.queue import keys
from worker.queue.scripts import Counts, Scripts
from worker.queue.stats import QueueState
from worker.redis.errors import REDIS_ERRORS

_TIMEOUT_S = 1.0


class QueueFacts:
    """Reads the facts of `queues` in time that does not grow with their length."""

    def __init__(self, redis: "Redis[bytes]", queues: Sequence[str], timeout_s: float = _TIMEOUT_S) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._queues = list(queues)
        self._timeout_s = timeout_s

    async def add_to(self, samples: Samples) -> None:
        """Add the facts; if Redis does not answer within a second, add only that they could not be read."""
        try:
            async with asyncio.timeout(self._timeout_s):
                counts, batches = await asyncio.gather(
                    self._scripts.counts(self._queues), self._redis.zcard(keys.BATCHES)
                )
        except REDIS_ERRORS:
            samples.set("hospital_queue_facts_read", 0)
            return
        samples.set("hospital_queue_facts_read", 1)
        samples.set("hospital_dead_letters", counts.dead)
        samples.set("hospital_batches", batches)
        _describe_queues(counts, samples)


def _describe_queues(counts: Counts, samples: Samples) -> None:
    for queue, found in counts.queues.items():
        state = QueueState.of(found, counts.now_ms)
        samples.set("hospital_queue_jobs", found.total, queue)
        samples.set("hospital_queue_due_jobs", state.waiting, queue)
        samples.set("hospital_queue_deferred_jobs", state.deferred, queue)
        samples.set("hospital_queue_in_flight_jobs", state.in_flight, queue)
        samples.set("hospital_queue_oldest_due_age_seconds", state.oldest_wait_s, queue)
