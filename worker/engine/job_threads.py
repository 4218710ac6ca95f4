"""The threads that jobs compute in, and those that jobs have left behind."""

import math
import os
import time
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from worker.engine.current_job import CurrentJob, current_job

_P = ParamSpec("_P")
_T = TypeVar("_T")

# As Python's own default executor.
_MOST = 32


@dataclass(slots=True, eq=False)
class _Call:
    job: CurrentJob | None
    left_at: float = math.inf


class JobThreads(ThreadPoolExecutor):
    """The default executor of a worker's event loop, which `asyncio.to_thread` uses.

    A thread cannot be cancelled: a job that waits for one ends at its timeout, and the thread runs on. `clock`
    returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = min(_MOST, (os.cpu_count() or 1) + 4)
        """How many threads there can be."""
        super().__init__(self.size, thread_name_prefix="job")
        self._clock = clock
        self._calls: dict[_Call, None] = {}

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Let a thread call a function, and note for which job."""
        call = _Call(current_job())

        def run() -> _T:
            self._calls[call] = None
            try:
                return fn(*args, **kwargs)
            finally:
                del self._calls[call]

        return super().submit(run)

    def left_behind(self, running: Container[CurrentJob], seconds: float) -> list[CurrentJob]:
        """Return the jobs of the calls that still run although their job ended at least so many seconds ago.

        `running` are the jobs that run now. A job's end is noticed here, so this is to be called again and again.
        """
        now = self._clock()
        calls = [call for call in list(self._calls) if call.job is not None]
        for call in calls:
            call.left_at = math.inf if call.job in running else min(call.left_at, now)
        return [call.job for call in calls if call.job is not None and now - call.left_at >= seconds]
