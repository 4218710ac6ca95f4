"""The state that a worker's jobs share: one typed object, stored under one key of arq's `ctx`."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from worker.errors import ConfigurationError
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.settings import Settings

CONTEXT_KEY = "worker_context"
DEADLINE_KEY = "job_deadline"
ABOUT_KEY = "about_hospital"


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The process's shared MongoDB client and the objects built on it; `on_startup` puts it into `ctx`."""

    settings: Settings
    mongo: MongoHandle
    registrations: Registrations


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job: the shared context, the job's id, and its deadline on the loop's clock, in seconds."""

    context: WorkerContext
    job_id: str
    deadline: float
    _ctx: dict[str, Any] = field(repr=False)

    def about(self, hospital_id: str) -> None:
        """Say which hospital the job is about, so that the history of ended jobs finds the job by it."""
        self._ctx[ABOUT_KEY] = hospital_id


def current_run(ctx: dict[str, Any]) -> JobRun:
    """Return the current run, typed. Raises `ConfigurationError` if `on_startup` has not filled `ctx`."""
    context = ctx.get(CONTEXT_KEY)
    if not isinstance(context, WorkerContext):
        raise ConfigurationError(
            f"ctx has no WorkerContext under {CONTEXT_KEY!r}: "
            "run the jobs with worker.main.WorkerSettings, whose on_startup adds it"
        )
    deadline = ctx.get(DEADLINE_KEY)
    if deadline is None:
        deadline = asyncio.get_running_loop().time() + context.settings.worker_job_timeout
    return JobRun(context, ctx["job_id"], deadline, ctx)
