"""Calls the functions of jobs inside of patches of arq's `Worker.run_job`.

Tracing tools patch it: Sentry's integration makes a transaction of each call of `run_job`. The engine does not need
arq's method, so a call passes through it only if it has been patched, or overridden in a subclass; otherwise this
costs nothing. A patch calls, at its core, the function that it found in arq's class. This module replaces that
function by one that makes the call for this engine, and does what arq's does for every other caller.

A patch may be older than the engine's import. Then it holds arq's function where only the patch can see it: in a
closure, or as `__wrapped__`. This module looks into both.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from types import CellType, FunctionType
from typing import Any

import arq.worker
from arq.worker import Worker

from worker.engine.events import Events, RunJobPatchFailed

RunClaimed = Callable[[], Awaitable[object]]
RunJob = Callable[[str, int], Awaitable[None]]

_NAME = "run_job"


class _SingleCall:
    """One call that is made at most once, wherever in a patch the call of arq's function stands."""

    def __init__(self, run: RunClaimed) -> None:
        self._run = run
        self._result: object = None
        self._error: BaseException | None = None
        self.is_made = False

    async def make(self) -> None:
        """Make the call. As with arq, the patch does not get to see what a job returns or raises."""
        self.is_made = True
        try:
            self._result = await self._run()
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise

    def outcome(self) -> object:
        """Return what the call returned, or raise what it raised."""
        try:
            if self._error is not None:
                raise self._error
            return self._result
        finally:
            # The traceback of the error leads back to this frame.
            self._error = None


# Of the task of one claimed job.
_single_call: ContextVar[_SingleCall | None] = ContextVar("_single_call", default=None)


class PatchedRunJob:
    """A patch of arq's `run_job`, to be called with the id and the score of claimed jobs."""

    def __init__(self, run_job: RunJob, name: str, events: Events) -> None:
        self._run_job = run_job
        self._name = name
        self._events = events

    async def call(self, job_id: str, score: int, run: RunClaimed) -> object:
        """Call `run` once, at the core of the patch, and outside of it if the patch fails before.

        Returns and raises what `run` does.
        """
        single = _SingleCall(run)
        before = _single_call.set(single)
        try:
            await self._run_job(job_id, score)
        except Exception as error:  # noqa: BLE001 (a tool that watches jobs must not be able to lose one)
            self._events.send(RunJobPatchFailed(self._name, type(error).__name__))
        finally:
            _single_call.reset(before)
        return single.outcome() if single.is_made else await run()


def patched_run_job(worker: Worker, events: Events) -> PatchedRunJob | None:
    """Return the patch of this worker's `run_job`; `None` if it is not patched, or if the patch cannot be used."""
    patched = type(worker).run_job
    if _is_arqs(patched) or _is_core(patched):
        return None
    name = f"{getattr(patched, '__module__', '?')}.{getattr(patched, '__qualname__', '?')}"
    # Each class of the worker may have its own, and may call the next with `super`.
    found = [_replace_core(cls) for cls in type(worker).__mro__ if _NAME in vars(cls)]
    if not any(found):
        events.send(RunJobPatchFailed(name, ""))
        return None
    return PatchedRunJob(worker.run_job, name, events)


def _is_arqs(function: object) -> bool:
    # Not by its name: `functools.wraps` gives a wrapper the same.
    # Nor with `isinstance`: the wrappers of `wrapt` pass for what they wrap.
    return type(function) is FunctionType and function.__globals__ is vars(arq.worker)


def _is_core(function: object) -> bool:
    return type(function) is FunctionType and function.__code__ is _CORE_CODE


def _core_of(arqs: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run_job(worker: Worker, job_id: str, score: int) -> None:
        single = _single_call.get()
        if single is None or single.is_made:
            await arqs(worker, job_id, score)
        else:
            await single.make()

    return run_job


_CORE_CODE = _core_of(Worker.run_job).__code__


def _replace_core(cls: type) -> bool:
    """Put our core in the place of arq's function in the `run_job` of a class; `False` if it has none."""
    own = vars(cls)[_NAME]
    if _is_core(own):
        return True
    if _is_arqs(own):
        setattr(cls, _NAME, _core_of(own))
        return True
    found = False
    for holder, function in _held_by(own):
        if _is_arqs(function):
            _put(holder, _core_of(function))
            found = True
        found = found or _is_core(function)
    return found


def _held_by(function: object) -> Iterator[tuple[Any, Any]]:
    """Yield each callable within a wrapper, and within the wrappers in it, with what holds it."""
    pending, seen = [function], {id(function)}
    while pending:
        outer = pending.pop()
        cells = getattr(outer, "__closure__", None) or ()
        held = [(cell, cell.cell_contents) for cell in cells if _is_filled(cell)]
        if hasattr(outer, "__wrapped__"):
            held.append((outer, outer.__wrapped__))
        for holder, inner in held:
            if callable(inner):
                yield holder, inner
                if id(inner) not in seen and not _is_arqs(inner) and not _is_core(inner):
                    seen.add(id(inner))
                    pending.append(inner)


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (an empty cell raises)
    except ValueError:
        return False
    return True


def _put(holder: Any, function: Callable[..., Awaitable[None]]) -> None:
    if isinstance(holder, CellType):
        holder.cell_contents = function
    else:
        holder.__wrapped__ = function
