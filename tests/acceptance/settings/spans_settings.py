"""The product's worker with a job that fails once as if a service were unavailable, and one that fails for good."""

from typing import Any, cast

from arq.worker import func

from worker import main
from worker.errors import TransientError


async def flaky(ctx: dict[str, Any]) -> None:
    """Fail at the first try."""
    if ctx["job_try"] == 1:
        raise TransientError("a moment")


async def broken(_ctx: dict[str, Any], secret: str) -> None:
    """Fail for good, with what was given in the message."""
    raise ValueError(secret)


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [
    *WorkerSettings.functions,
    *(func(cast(Any, job), name=job.__name__) for job in (flaky, broken)),
]
