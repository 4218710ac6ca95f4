"""The product's worker with a job that notes when it starts, in microseconds by Redis's clock."""

from typing import Any, cast

from arq.worker import func

from worker import main


async def noting(ctx: dict[str, Any]) -> None:
    """Append the time to the list `arq:starts`."""
    seconds, microseconds = await ctx["redis"].time()
    await ctx["redis"].rpush("arq:starts", seconds * 1_000_000 + microseconds)


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [*WorkerSettings.functions, func(cast(Any, noting), name=noting.__name__)]
