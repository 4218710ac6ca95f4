"""The product's worker with additional jobs that wait, block, kill their process or try to exit it.

The jobs that wait or block end with a real registration, so that the ledger can account for them. Importing this
module reads the settings from the environment, as `worker.main` does.
"""

import asyncio
import os
import signal
import sys
import time
from typing import Any

from arq.connections import ArqRedis
from arq.worker import func
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker import main
from worker.jobs.register_hospital import register_hospital

Payload = dict[str, Any]


async def held(ctx: dict[str, Any], payload: Payload) -> Any:
    """Register once the key `gate` exists."""
    await ctx["redis"].incr("runs")
    while not await _is_open(ctx["redis"]):
        await asyncio.sleep(0.02)
    return await register_hospital(ctx, payload)


async def _is_open(redis: ArqRedis) -> bool:
    try:
        return bool(await redis.exists("gate"))
    except RedisTimeoutError:
        # Another job has blocked the event loop for longer than a call may take. That would be a retry of this job,
        # and look like a lease that was lost.
        return False


async def stubborn(ctx: dict[str, Any], payload: Payload) -> Any:
    """Register once the key `gate` exists and ignore cancellation, like work in a thread that cannot be stopped."""
    work = asyncio.create_task(held(ctx, payload))
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            continue
    return await work


async def slow(ctx: dict[str, Any], payload: Payload, seconds: float) -> Any:
    """Register after some seconds."""
    await ctx["redis"].incr("runs")
    await asyncio.sleep(seconds)
    return await register_hospital(ctx, payload)


async def blocking(ctx: dict[str, Any], payload: Payload, seconds: float) -> Any:
    """Register, then compute for some seconds without yielding to the event loop."""
    await ctx["redis"].incr("runs")
    outcome = await register_hospital(ctx, payload)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        sum(range(10_000))
    return outcome


async def killer(ctx: dict[str, Any], payload: Payload, neighbours: int) -> None:
    """Kill the process, like a crash in an extension module; the first run waits until all its neighbours run."""
    redis = ctx["redis"]
    if await redis.incr("kills") == 1:
        while int(await redis.get("runs") or 0) < neighbours:
            await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


class CustomBaseException(BaseException):
    """An exception that a library might derive from `BaseException`."""


async def exiting(ctx: dict[str, Any], payload: Payload, how: str) -> None:
    """Raise a `BaseException` that is not an `Exception`, in the job itself or in a task that it started."""
    errors = {
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "custom": CustomBaseException(),
        "closed": GeneratorExit(),
    }

    async def leave() -> None:
        sys.exit(3)

    if how == "task":
        await asyncio.create_task(leave())
    raise errors[how]


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [
    *WorkerSettings.functions,
    *(func(job, name=job.__name__) for job in (held, stubborn, slow, blocking, killer, exiting)),
]
