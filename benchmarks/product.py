"""The product's worker, unchanged, with additional jobs that only do what is measured."""

import asyncio
import time
from typing import Any, cast

from arq.worker import func

from benchmarks.jobs import STARTS
from worker.main import WorkerSettings as Product


async def noop(_ctx: dict[Any, Any]) -> None:
    """Do nothing."""


async def stamp(ctx: dict[Any, Any]) -> None:
    """Record when this run began."""
    began = time.monotonic_ns()
    await ctx["redis"].rpush(STARTS + ctx["job_id"], began)


async def hang(ctx: dict[Any, Any]) -> None:
    """Record when this run began. The first run never ends."""
    began = time.monotonic_ns()
    if await ctx["redis"].rpush(STARTS + ctx["job_id"], began) == 1:
        await asyncio.Event().wait()


# arq reads only a class's own attributes, not inherited ones.
WorkerSettings = type(
    "WorkerSettings",
    (),
    {
        **{name: value for name, value in vars(Product).items() if not name.startswith("__")},
        "functions": [
            *Product.functions,
            *(func(cast(Any, job), name=job.__name__) for job in (noop, stamp, hang)),
        ],
    },
)
