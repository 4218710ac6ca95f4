"""Stock arq, with a poll delay so short that a full queue does not wait for it."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any, cast

import uvloop
from arq.connections import RedisSettings, create_pool
from arq.constants import default_queue_name
from arq.worker import Worker, func

from benchmarks.bench import CONCURRENCY
from benchmarks.jobs import IngestBody, Payload
from benchmarks.systems.base import JobName, System

_POLL_S = 0.01
_AT_ONCE = 50


class Arq(System):
    """arq's own worker and serializer (pickle)."""

    name = "arq"

    def work(self, redis_url: str, job: JobName) -> None:  # noqa: ARG002 (it always serves all functions)
        """Run arq's worker."""
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        body = IngestBody()

        async def ingest(_ctx: dict[Any, Any], payload: Payload) -> Payload:
            return await body(payload)

        Worker(
            [func(cast(Any, job), name=name) for name, job in {"noop": _noop, "ingest_hospital": ingest}.items()],
            redis_settings=RedisSettings.from_dsn(redis_url),
            max_jobs=CONCURRENCY,
            poll_delay=_POLL_S,
        ).run()

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Enqueue 50 concurrently, because arq has no call for many jobs."""
        redis = await create_pool(RedisSettings.from_dsn(redis_url))
        remaining = iter(payloads)
        while group := list(islice(remaining, _AT_ONCE)):
            calls = (redis.enqueue_job(job, *((payload,) if job == "ingest_hospital" else ())) for payload in group)
            await asyncio.gather(*calls)
        await redis.aclose()

    async def unfinished(self, redis: Any, jobs: int) -> int:  # noqa: ARG002 (other systems need it)
        """Count the queue: a job is removed from it when its result is stored."""
        return int(await redis.zcard(default_queue_name))


SYSTEM = Arq()


async def _noop(_ctx: dict[Any, Any]) -> None:
    return None
