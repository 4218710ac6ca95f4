"""What the jobs of a worker share, and how they get at it: one typed object under one key of arq's `ctx`."""

import asyncio
from dataclasses import dataclass
from typing import Any

from worker.errors import ConfigurationError
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.settings import Settings

CONTEXT_KEY = "worker_context"
DEADLINE_KEY = "job_deadline"


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The shared client of the process and what is built on it; put into `ctx` by `on_startup`."""

    settings: Settings
    mongo: MongoHandle
    registrations: Registrations


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job: the shared context, the job's id, and its deadline on the loop's clock, in seconds."""

    context: WorkerContext
    job_id: str
    deadline: float


def current_run(ctx: dict[str, Any]) -> JobRun:
    """Return what a job needs of arq's `ctx`. Raises `ConfigurationError` if `on_startup` has not filled it."""
    context = ctx.get(CONTEXT_KEY)
    if not isinstance(context, WorkerContext):
        raise ConfigurationError(
            f"the jobs' ctx has no WorkerContext under {CONTEXT_KEY!r}: "
            "run them with worker.main.WorkerSettings, whose on_startup puts it there"
        )
    deadline = ctx.get(DEADLINE_KEY)
    if deadline is None:
        deadline = asyncio.get_running_loop().time() + context.settings.worker_job_timeout
    return JobRun(context, ctx["job_id"], deadline)
