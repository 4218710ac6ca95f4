"""Worker settings of an arq user: arq's own `redis_settings`, from which the engine makes its connections."""

import asyncio
import os
from typing import Any

from arq.connections import RedisSettings
from arq.worker import func

from worker.engine.worker import LeaseWorker

import arq.worker  # isort: skip


async def held(ctx: dict[str, Any]) -> int:
    """Return the number of the try once the key `gate` exists."""
    await ctx["redis"].incr("runs")
    while not await ctx["redis"].exists("gate"):
        await asyncio.sleep(0.02)
    return int(ctx["job_try"])


async def quick(ctx: dict[str, Any]) -> int:
    """Return the number of the try."""
    return int(ctx["job_try"])


arq.worker.Worker = LeaseWorker  # type: ignore[misc]


class WorkerSettings:
    functions = [func(held, name="held"), func(quick, name="quick")]  # noqa: RUF012 (as arq reads it)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = 100
