"""Which claimed job a piece of code belongs to, also in the tasks and threads that a job has started."""

import asyncio
import gc
import sys
from contextvars import Context, ContextVar
from typing import Any, NamedTuple


class CurrentJob(NamedTuple):
    """A claim on one job. It does not refer to the job itself: a task that outlives the job would keep it alive."""

    job_id: bytes
    token: str


_current: ContextVar[CurrentJob | None] = ContextVar("current_job", default=None)


def enter_job(job_id: bytes, token: str) -> None:
    """Note that the running task, and all that it starts from now on, belongs to this job."""
    _current.set(CurrentJob(job_id, token))


def current_job() -> CurrentJob | None:
    """Return the job that the caller belongs to; `None` if it belongs to none."""
    return _current.get()


def job_in(loop: asyncio.AbstractEventLoop) -> CurrentJob | None:
    """Return the job whose task `loop` runs at this moment, as another thread sees it.

    `None` if that task belongs to no job, or if the loop does not run a task.
    """
    task = asyncio.current_task(loop)
    return None if task is None else _context_of(task).get(_current)


def _context_of(task: "asyncio.Task[Any]") -> Context:
    if sys.version_info >= (3, 12):
        return task.get_context()
    # Python 3.11 has no call for it, but its garbage collector knows what a task holds.
    return next((held for held in gc.get_referents(task) if isinstance(held, Context)), Context())
