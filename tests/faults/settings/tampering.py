"""The worker of `faulty` with additional jobs that do to their own process what only the worker may do."""

import asyncio
import os
import sys
from typing import Any

from arq.worker import func

from tests.faults.settings import faulty
from worker.jobs.register_hospital import register_hospital

Payload = dict[str, Any]

_CHILD_CODE = 7


def _others() -> set["asyncio.Task[Any]"]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def cancelling(ctx: dict[str, Any], payload: Payload) -> Any:
    """Cancel all other tasks of the event loop, as programs do before they end, then register."""
    others = _others()
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return await register_hospital(ctx, payload)


async def gathering(ctx: dict[str, Any], payload: Payload) -> Any:
    """Wait for all other tasks of the event loop, but not for long, then register."""
    try:
        async with asyncio.timeout(1):
            await asyncio.gather(*_others())
    except TimeoutError:
        await ctx["redis"].incr("waited in vain")
    return await register_hospital(ctx, payload)


async def stopping(ctx: dict[str, Any], payload: Payload) -> Any:
    """Stop the event loop, then register."""
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return await register_hospital(ctx, payload)


async def forking(ctx: dict[str, Any], payload: Payload, how: str) -> Any:
    """Fork a child that leaves the job, wait until it has ended, note its code, and register."""
    child = os.fork()
    if child == 0:
        if how == "exit":
            sys.exit(_CHILD_CODE)
        if how == "raise":
            raise ValueError("in the child")
        return None
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    await ctx["redis"].set(f"child:{how}", os.waitstatus_to_exitcode(status))
    return await register_hospital(ctx, payload)


async def moving(ctx: dict[str, Any], payload: Payload) -> Any:
    """Register from another working directory, and stay there."""
    os.chdir("/")
    return await register_hospital(ctx, payload)


async def closing(ctx: dict[str, Any], payload: Payload) -> Any:
    """Register, then close the Redis client that all jobs and the worker share."""
    outcome = await register_hospital(ctx, payload)
    await ctx["redis"].incr("closed")
    await ctx["redis"].aclose(close_connection_pool=True)
    return outcome


WorkerSettings = faulty.WorkerSettings
WorkerSettings.functions = [
    *WorkerSettings.functions,
    *(func(job, name=job.__name__) for job in (cancelling, gathering, stopping, forking, moving, closing)),
]
