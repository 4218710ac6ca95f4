"""Celery on Redis, in one process: the solo pool, which passes no jobs to other processes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from celery import Celery

from benchmarks.bench import CONCURRENCY
from benchmarks.jobs import Payload
from benchmarks.systems.base import JobName, System

_KEYS_BESIDE_RESULTS = (
    "celery",
    "unacked",
    "unacked_index",
    "unacked_mutex",
    "_kombu.binding.celery",
    "_kombu.binding.celeryev",
    "_kombu.binding.celery.pidbox",
)


class CelerySystem(System):
    """Celery's worker: the solo pool, which prefetches as many jobs as the others run concurrently, no gossip."""

    name = "celery"

    def work(self, redis_url: str, job: JobName) -> None:  # noqa: ARG002 (it has only one job)
        """Run Celery's worker."""
        app, _ = _app(redis_url)
        options = ["--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        app.worker_main(["worker", "--loglevel=ERROR", *options])

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:  # noqa: ARG002
        """Enqueue jobs one by one over one connection."""

        def send() -> None:
            app, noop = _app(redis_url)
            with app.producer_or_acquire() as producer:
                for _ in payloads:
                    noop.apply_async(producer=producer)
            app.close()

        await asyncio.to_thread(send)

    async def unfinished(self, redis: Any, jobs: int) -> int:
        """Count the results: each has one key, in addition to the broker's own keys."""
        return jobs - int(await redis.dbsize()) + int(await redis.exists(*_KEYS_BESIDE_RESULTS))


SYSTEM = CelerySystem()


def _app(redis_url: str) -> tuple[Any, Any]:
    app = Celery("bench", broker=redis_url, backend=redis_url)
    app.conf.update(worker_prefetch_multiplier=CONCURRENCY, broker_connection_retry_on_startup=True)

    def noop() -> None:
        return None

    return app, app.task(name="noop")(noop)
