"""What the loops of one worker share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from arq.connections import ArqRedis

from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.clock import RedisClock
from worker.engine.completer import Completer
from worker.engine.events import Events
from worker.engine.memory_watch import MemoryWatch
from worker.engine.pauses import Pauses
from worker.engine.redis_health import RedisHealth
from worker.queue.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """What more than one loop of a worker needs.

    `queues` holds the slots of each queue, in order of precedence, and `slots` is how many jobs run at once. `wake`
    is set by whatever may let claiming go on: an announced job, a freed slot, a signal. `stopping` is set once, by
    the first signal. `source_queues` has the queue of each source that has one of its own, `rate_limits` how many
    jobs of a queue all workers together may start in a second.
    """

    worker_id: str
    queues: Mapping[str, int]
    slots: int
    lease_s: float
    redis: ArqRedis
    scripts: Scripts
    completer: Completer
    redis_health: RedisHealth
    memory: MemoryWatch
    breaker: CircuitBreaker
    pauses: Pauses
    clock: RedisClock
    events: Events
    wake: asyncio.Event
    stopping: asyncio.Event
    source_queues: Mapping[str, str] = field(default_factory=dict)
    rate_limits: Mapping[str, float] = field(default_factory=dict)

    def why_not_ready(self) -> str:
        """Return why the worker should get no more work; an empty string if it should."""
        if self.stopping.is_set():
            return "stopping"
        if self.breaker.is_open:
            return self.breaker.why_not
        if self.completer.is_congested:
            return "storing of completions has fallen behind"
        return self.memory.problem
