"""Timeouts of running jobs, without a timer for each job."""

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.engine.running_job import RunningJob


class Timeouts:
    """Interrupts jobs that have not returned in time.

    Jobs with the same timeout reach it in the order in which they began, so one timer for each length of a timeout
    is enough: it waits for the oldest job. A timer per job took a twentieth of the time of a job that does nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._deadlines: dict[float, dict[RunningJob, float]] = {}
        self._scheduled: set[float] = set()

    def deadline(self, timeout_s: float | None) -> float:
        """Return when a job that begins now must have returned, on the loop's clock; infinite without a timeout."""
        return math.inf if timeout_s is None else self._loop.time() + timeout_s

    def begin(self, job: "RunningJob", timeout_s: float) -> None:
        """Interrupt the job in `timeout_s` seconds, unless it has returned by then."""
        deadline = self._loop.time() + timeout_s
        self._deadlines.setdefault(timeout_s, {})[job] = deadline
        if timeout_s not in self._scheduled:
            self._schedule(timeout_s, deadline)

    def end(self, job: "RunningJob", timeout_s: float) -> None:
        """Note that the job, which began with this timeout, has returned."""
        self._deadlines[timeout_s].pop(job, None)

    def _schedule(self, timeout_s: float, deadline: float) -> None:
        self._scheduled.add(timeout_s)
        self._loop.call_at(deadline, self._interrupt_late, timeout_s)

    def _interrupt_late(self, timeout_s: float) -> None:
        self._scheduled.discard(timeout_s)
        now = self._loop.time()
        late = []
        for job, deadline in self._deadlines[timeout_s].items():
            if deadline > now:
                self._schedule(timeout_s, deadline)
                break
            late.append(job)
        for job in late:
            self.end(job, timeout_s)
            job.interrupt("timeout")
