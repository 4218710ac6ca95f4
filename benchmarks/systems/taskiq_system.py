"""taskiq with taskiq-redis: its list broker and its result backend."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import uvloop
from taskiq.api import run_receiver_task
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from benchmarks.bench import CONCURRENCY
from benchmarks.jobs import IngestBody, Payload
from benchmarks.systems.base import JobName, System

_QUEUE = "taskiq"
_KEEP_S = 3600
_AT_ONCE = 50


class Taskiq(System):
    """taskiq's receiver. The list broker acknowledges nothing: a running job is lost if its worker dies."""

    name = "taskiq"

    def work(self, redis_url: str, job: JobName) -> None:  # noqa: ARG002 (all its functions are always served)
        """Run taskiq's receiver, as its command line would in one process."""

        async def serve() -> None:
            broker, _ = _broker(redis_url)
            await broker.startup()
            await run_receiver_task(broker, max_async_tasks=CONCURRENCY, max_prefetch=CONCURRENCY)

        uvloop.run(serve())

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Enqueue 50 concurrently."""
        broker, tasks = _broker(redis_url)
        await broker.startup()
        remaining = iter(payloads)
        while group := list(islice(remaining, _AT_ONCE)):
            await asyncio.gather(
                *(tasks[job].kiq(*((payload,) if job == "ingest_hospital" else ())) for payload in group)
            )
        await broker.shutdown()

    async def unfinished(self, redis: Any, jobs: int) -> int:
        """Count the results: each has one key, and so has the queue while it is not empty."""
        return jobs - int(await redis.dbsize()) + int(await redis.exists(_QUEUE))


SYSTEM = Taskiq()


def _broker(redis_url: str) -> tuple[Any, dict[JobName, Any]]:
    broker = ListQueueBroker(redis_url, queue_name=_QUEUE).with_result_backend(
        RedisAsyncResultBackend(redis_url, result_ex_time=_KEEP_S)
    )
    body = IngestBody()

    async def noop() -> None:
        return None

    async def ingest(payload: Payload) -> Payload:
        return await body(payload)

    tasks: dict[JobName, Any] = {
        "noop": broker.register_task(noop, task_name="noop"),
        "ingest_hospital": broker.register_task(ingest, task_name="ingest_hospital"),
    }
    return broker, tasks
