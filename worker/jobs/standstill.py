"""Distinguishes jobs that are slow by themselves from those that wait for a MongoDB whose writes are locked."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from worker.errors import ConflictError, OutageError, TransientError
from worker.jobs.context import current_run

Job = Callable[[dict[str, Any], dict[str, Any]], Coroutine[Any, Any, Any]]


def outage_while_writes_stand_still(job: Job) -> Job:
    """Return the job, except that it raises `OutageError` if it gave up while MongoDB wrote nothing at all."""

    @functools.wraps(job)
    async def run(ctx: dict[str, Any], payload: dict[str, Any]) -> Any:
        try:
            return await job(ctx, payload)
        except (TransientError, ConflictError, asyncio.CancelledError):
            # Of a job that is cancelled for another reason than its timeout, the engine does not look at the error.
            if current_run(ctx).context.mongo.write_progress.stands_still:
                raise OutageError("MongoDB answers, but writes nothing: its writes are locked") from None
            raise

    return run
