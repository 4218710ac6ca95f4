"""Runs claimed jobs inside of what somebody has put around arq's `Worker.run_job`.

Tracing does that: Sentry's integration makes a transaction of each call of `run_job`. The engine does not need
arq's method, so a job passes through it only if it has been patched, or overridden in a subclass; otherwise this
costs nothing. What was put around it calls, at its core, the function that it found in arq's class. That one is
replaced by a function that runs the job which this engine has claimed, and is arq's own for everybody else.

A patch may be older than the engine's import, and then holds arq's function where only it can see it: in a closure,
or as `__wrapped__`. Both are looked into.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from types import CellType, FunctionType
from typing import Any

import arq.worker
from arq.worker import Worker

from worker.engine.events import Events, RunJobPatchFailed

RunClaimed = Callable[[], Awaitable[None]]
RunJob = Callable[[str, int], Awaitable[None]]

_NAME = "run_job"


class _Turn:
    """One claimed job that is run at most once, wherever in a patch the call of arq's function stands."""

    def __init__(self, run: RunClaimed) -> None:
        self._run = run
        self.taken = False

    async def take(self) -> None:
        if not self.taken:
            self.taken = True
            await self._run()


# Of the task of one claimed job.
_turn: ContextVar[_Turn | None] = ContextVar("_turn", default=None)


class PatchedRunJob:
    """What was put around arq's `run_job`, to be called with claimed jobs."""

    def __init__(self, run_job: RunJob, name: str, events: Events) -> None:
        self._run_job = run_job
        self._name = name
        self._events = events

    async def call(self, job_id: str, score: int, run: RunClaimed) -> None:
        """Call `run`, which runs the claimed job, at the core of the patch; also if the patch fails."""
        turn = _Turn(run)
        _turn.set(turn)
        try:
            await self._run_job(job_id, score)
        except Exception as error:  # noqa: BLE001 (a tool that watches jobs must not be able to lose one)
            self._events.send(RunJobPatchFailed(self._name, type(error).__name__))
        await turn.take()


def patched_run_job(worker: Worker, events: Events) -> PatchedRunJob | None:
    """Return what stands around `run_job` of this worker, or `None` if it is arq's own or cannot be used."""
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
        turn = _turn.get()
        if turn is None or turn.taken:
            await arqs(worker, job_id, score)
        else:
            await turn.take()

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
