"""Dramatiq on Redis, with its default number of threads."""

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.jobs import Payload
from benchmarks.systems.base import JobName, System

_THREADS = 8


class Dramatiq(System):
    """Dramatiq's worker with its default of 8 threads."""

    name = "dramatiq"

    def work(self, redis_url: str, job: JobName) -> None:  # noqa: ARG002 (it has only one job)
        """Run Dramatiq's worker."""
        broker, _ = _broker(redis_url)
        # Blocked before any thread starts, so that the signal stays pending for sigwait.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        worker = dramatiq.Worker(broker, worker_threads=_THREADS)
        worker.start()
        signal.sigwait({signal.SIGTERM})
        worker.stop()

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:  # noqa: ARG002
        """Enqueue jobs one by one over one connection."""

        def send() -> None:
            broker, noop = _broker(redis_url)
            for _ in payloads:
                noop.send()
            broker.close()

        await asyncio.to_thread(send)

    async def unfinished(self, redis: Any, jobs: int) -> int:  # noqa: ARG002 (other systems need it)
        """Count the messages: a message is deleted when it is acknowledged, after its result was stored."""
        return int(await redis.hlen("dramatiq:default.msgs"))


SYSTEM = Dramatiq()


def _broker(redis_url: str) -> tuple[Any, Any]:
    broker = RedisBroker(url=redis_url)
    broker.add_middleware(Results(backend=RedisBackend(url=redis_url), store_results=True))

    def noop() -> None:
        return None

    return broker, dramatiq.actor(noop, broker=broker)
