"""The worker of `faulty` with additional jobs that hold its event loop, its threads, or the interpreter's lock."""

import asyncio
import ctypes
import re
import threading
import time
from typing import Any

from arq.worker import func

from tests.faults.settings import faulty
from worker.jobs.register_hospital import register_hospital

Payload = dict[str, Any]

# Python keeps its lock during a call of a `PyDLL`, as in an extension module that does not release it.
_LIBC = ctypes.PyDLL(None)


async def spinning(ctx: dict[str, Any], payload: Payload) -> None:
    """Never give the event loop back."""
    await ctx["redis"].incr("spins")
    while True:
        pass


async def spinning_in_a_task(ctx: dict[str, Any], payload: Payload) -> None:
    """Start a task that never gives the event loop back."""
    async with asyncio.TaskGroup() as group:
        group.create_task(spinning(ctx, payload))


async def locking(ctx: dict[str, Any], payload: Payload, seconds: float) -> Any:
    """Hold the interpreter's lock for some seconds, then register."""
    await ctx["redis"].incr("locks")
    _LIBC.usleep(int(seconds * 1_000_000))
    return await register_hospital(ctx, payload)


async def computing(ctx: dict[str, Any], payload: Payload) -> None:
    """Match a regular expression for years; Python keeps its lock meanwhile."""
    await ctx["redis"].incr("locks")
    re.match(r"(a+)+$", "a" * 60 + "b")


async def threaded(ctx: dict[str, Any], payload: Payload) -> Any:
    """Start a thread that does not end, and wait for a call in another one that does not end either."""
    threading.Thread(target=time.sleep, args=(3_600,), name="endless").start()
    call = asyncio.to_thread(time.sleep, 3_600)
    await ctx["redis"].incr("runs")
    await call
    return await register_hospital(ctx, payload)


async def leaving(ctx: dict[str, Any], payload: Payload) -> Any:
    """Register once the key `gate` exists; before that, wait for a thread that does not end."""
    await ctx["redis"].incr("runs")
    if not await ctx["redis"].exists("gate"):
        await asyncio.to_thread(time.sleep, 3_600)
    return await register_hospital(ctx, payload)


async def gated_call(ctx: dict[str, Any], payload: Payload) -> Any:
    """Wait for the key `gate`, say so, and register."""
    redis = ctx["redis"]
    await redis.incr("runs")
    while not await redis.exists("gate"):
        await asyncio.sleep(0.02)
    await redis.incr("through")
    return await register_hospital(ctx, payload)


WorkerSettings = faulty.WorkerSettings
WorkerSettings.functions = [
    *WorkerSettings.functions,
    *(
        func(job, name=job.__name__)
        for job in (spinning, spinning_in_a_task, locking, computing, threaded, leaving, gated_call)
    ),
]
