"""Worker settings with jobs that the product does not have: they wait, kill the process, and call `sys.exit`."""

import asyncio
import os
import signal
import sys
from typing import Any

from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.settings import load_settings

import arq.worker  # isort: skip

_settings = load_settings()


async def gated(ctx: dict[str, Any]) -> int:
    """Run until the key `gate` exists; return the number of the try."""
    await ctx["redis"].incr("runs")
    while not await ctx["redis"].exists("gate"):
        await asyncio.sleep(0.05)
    return int(ctx["job_try"])


async def neighbour(ctx: dict[str, Any]) -> int:
    """Take a while, so that it is running when the process dies."""
    await asyncio.sleep(0.09)
    await asyncio.sleep(0.09)
    return int(ctx["job_try"])


async def killer(ctx: dict[str, Any]) -> None:
    """Kill the process, as a crash of an extension module would."""
    await ctx["redis"].incr("kills")
    os.kill(os.getpid(), signal.SIGKILL)


async def exiting(ctx: dict[str, Any]) -> None:
    """Call `sys.exit` in a separate task, from which it reaches the event loop."""

    async def call_exit() -> None:
        sys.exit(3)

    await asyncio.gather(asyncio.create_task(call_exit()))


async def _connect() -> Any:
    return open_arq_redis(_settings, Codec())


arq.worker.Worker = LeaseWorker  # type: ignore[misc]


class WorkerSettings:
    functions = [gated, neighbour, killer, exiting]  # noqa: RUF012 (as arq reads it)
    open_redis = _connect
    lease = _settings.worker_lease
    max_jobs = _settings.worker_max_jobs
    max_tries = 1
    job_completion_wait = _settings.worker_grace_period
