"""SAQ on Redis."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import uvloop
from saq import Queue, Worker

from benchmarks.bench import CONCURRENCY
from benchmarks.jobs import IngestBody, Payload
from benchmarks.systems.base import JobName, System

_AT_ONCE = 20


class Saq(System):
    """SAQ's worker with its defaults."""

    name = "saq"

    def work(self, redis_url: str, job: JobName) -> None:  # noqa: ARG002 (it always serves all functions)
        """Run SAQ's worker."""
        body = IngestBody()

        async def noop(_ctx: object) -> None:
            return None

        async def ingest(_ctx: object, *, payload: Payload) -> Payload:
            return await body(payload)

        async def serve() -> None:
            queue = Queue.from_url(redis_url)
            functions = [("noop", noop), ("ingest_hospital", ingest)]
            worker = Worker(queue, functions, concurrency=CONCURRENCY)
            await worker.start()

        uvloop.run(serve())

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Enqueue 20 concurrently, which is SAQ's own limit of concurrent operations."""
        queue = Queue.from_url(redis_url)
        remaining = iter(payloads)
        while group := list(islice(remaining, _AT_ONCE)):
            await asyncio.gather(
                *(
                    queue.enqueue(job, **({"payload": payload} if job == "ingest_hospital" else {}))
                    for payload in group
                )
            )
        await queue.disconnect()

    async def unfinished(self, redis: Any, jobs: int) -> int:  # noqa: ARG002 (other systems need it)
        """Count the set of jobs without a final state."""
        return int(await redis.zcard("saq:default:incomplete"))


SYSTEM = Saq()
