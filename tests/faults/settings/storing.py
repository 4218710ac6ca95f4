"""Worker settings with jobs that need no MongoDB and return as much as they are asked to."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.settings import load_settings

import arq.worker  # isort: skip

_settings = load_settings()


async def _count_run(redis: Redis, key: str) -> None:
    while True:
        try:
            await redis.incr(key)
        except OutOfMemoryError:
            # While Redis receives a large result, it is fuller than it may be.
            await asyncio.sleep(0.01)
        else:
            return


async def returning(ctx: dict[str, Any], size: int, _padding: str = "") -> str:
    """Count a run and return a text of `size` characters."""
    await _count_run(ctx["redis"], f"runs:{ctx['job_id']}")
    return "x" * size


async def waiting(ctx: dict[str, Any], size: int, _padding: str = "") -> str:
    """Count a run, wait until the key `closed` does not exist, and return a text of `size` characters."""
    await _count_run(ctx["redis"], "runs")
    while await ctx["redis"].exists("closed"):
        await asyncio.sleep(0.05)
    return "x" * size


async def _connect() -> Any:
    return open_arq_redis(_settings, Codec())


arq.worker.Worker = LeaseWorker  # type: ignore[misc]


class WorkerSettings:
    functions = [returning, waiting]  # noqa: RUF012 (as arq reads it)
    open_redis = _connect
    lease = _settings.worker_lease
    max_jobs = _settings.worker_max_jobs
    keep_result = _settings.worker_keep_result
