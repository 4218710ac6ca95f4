"""What the loops of one worker share."""

import asyncio
from dataclasses import dataclass

from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.completer import Completer
from worker.engine.redis_health import RedisHealth
from worker.queue.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one worker that more than one of its loops needs.

    `wake` is set by whatever may let claiming go on: an announced job, a freed slot, a signal. `stopping` is set
    once, by the first signal.
    """

    worker_id: str
    queues: tuple[str, ...]
    lease_s: float
    scripts: Scripts
    writer: Completer
    health: RedisHealth
    breaker: CircuitBreaker
    wake: asyncio.Event
    stopping: asyncio.Event

    def why_not_ready(self) -> str:
        """Tell what keeps the worker from taking jobs; an empty text if nothing does."""
        if self.stopping.is_set():
            return "stopping"
        if self.breaker.is_open:
            return "the jobs' store is out"
        if self.writer.is_congested:
            return "storing of results has fallen behind"
        return ""
