"""The product's worker with two more jobs: one waits for a key in Redis, the other always has to be retried."""

import asyncio
from typing import Any, cast

from arq.worker import func

from worker import main
from worker.errors import TransientError


async def gated(ctx: dict[str, Any]) -> dict[str, str]:
    """Run until the key `gate` exists."""
    while not await ctx["redis"].exists("gate"):
        await asyncio.sleep(0.05)
    return {"status": "through"}


async def failing(_ctx: dict[str, Any]) -> None:
    """Fail as if a service were unavailable for a moment."""
    raise TransientError("a patient")


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [
    *WorkerSettings.functions,
    *(func(cast(Any, job), name=job.__name__) for job in (gated, failing)),
]
