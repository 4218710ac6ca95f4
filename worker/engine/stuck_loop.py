"""An event loop that does not come back: its jobs are taken from it, and its process ends."""

import asyncio
import math
import os
import sys
import traceback
from collections.abc import Mapping

from worker.engine.current_job import CurrentJob, job_in
from worker.engine.events import EventLoopStuck, Events
from worker.engine.final_hand_back import FinalHandBack
from worker.engine.process_exit import ProcessExit
from worker.engine.running_job import RunningJob

# Beyond the time that a running job may take. A loop that is only slow comes back within it.
_MARGIN_S = 10.0
# How long a job without a timeout counts as running, where it is not known to be the one that holds the loop.
_WITHOUT_TIMEOUT_S = 300.0
# Twice as long as between two looks.
_PATIENCE_S = 5.0
# A full worker takes a part of a second; Redis may be slow.
_HAND_BACK_S = 5.0
# Deep enough to reach from inside a client library out to the job that called it.
_STACK_DEPTH = 40


def stack_of(thread: int) -> str:
    """Return where a thread is, as file names and lines of source; empty if there is no such thread."""
    frame = sys._current_frames().get(thread)
    # Places only: a line of source cannot hold a payload, a local variable could.
    return "".join(traceback.format_stack(frame, limit=_STACK_DEPTH)) if frame else ""


class StuckLoop:
    """Decides, in the thread that renews leases, that the event loop is stuck.

    A job holds the loop if two looks in a row find the loop in the job's task, or in a task that the job started.
    The job may hold it for its timeout plus 10 s; a job without a timeout for as long as it likes. Anything else
    may hold it for the longest timeout of the running jobs plus 10 s.

    After that, what happens to the worker's jobs depends on what holds the loop:

    - A job: the other jobs are handed back without a crash. Its own lease ends, and counts one.
    - A task of a job that has ended: all running jobs are handed back.
    - No job's task: none is handed back. Each counts a crash, and the job to blame is found as any other that kills
      its worker.

    Then the process ends, if it belongs to the worker (`process_exit`). Otherwise the worker goes on without these
    jobs when the loop comes back.
    """

    def __init__(
        self,
        jobs: Mapping[bytes, RunningJob],
        final_hand_back: FinalHandBack,
        events: Events,
        process_exit: ProcessExit | None,
    ) -> None:
        self._jobs = jobs
        self._final_hand_back = final_hand_back
        self._events = events
        self._process_exit = process_exit
        self._loop = asyncio.get_running_loop()
        self._holder: CurrentJob | None = None
        self._overdue = self._reported = False
        self._allow()

    def _allow(self) -> None:
        # Any job may start before the next look, and until then the threads of jobs may keep all processors busy.
        if self._process_exit is not None:
            threads_s = _PATIENCE_S * (os.cpu_count() or 1)
            self._process_exit.allow(max(self._process_exit.longest_job_s + _MARGIN_S, threads_s))

    def close(self) -> None:
        """Note that nobody will look any more."""
        if self._process_exit is not None:
            self._process_exit.allow(math.inf)

    def look(self, silent_s: float, thread: int) -> bool:
        """Take note that the loop, which runs in `thread`, has been silent for so long.

        Returns whether the jobs have been taken from it.
        """
        holder = job_in(self._loop)
        self._allow()
        # Seen twice: a process that was frozen has a silent loop too, which comes back before the second look. And
        # with the same holder: many jobs that compute for a moment each hold up the loop as well.
        was_overdue = self._overdue and holder == self._holder
        self._holder = holder
        self._overdue = silent_s >= self._limit_s(holder) + _MARGIN_S
        if not self._overdue:
            self._reported = False
        if not (was_overdue and self._overdue) or self._reported:
            return False
        self._reported = True
        self._let_go(silent_s, thread, holder)
        return True

    def _limit_s(self, holder: CurrentJob | None) -> float:
        spinning = self._find(holder)
        if spinning is not None:
            return spinning.allowed_s
        allowed_s = [job.allowed_s for job in list(self._jobs.values())]
        limits_s = [seconds if math.isfinite(seconds) else _WITHOUT_TIMEOUT_S for seconds in allowed_s]
        return max(limits_s, default=0.0)

    def _find(self, holder: CurrentJob | None) -> RunningJob | None:
        if holder is None:
            return None
        job = self._jobs.get(holder.job_id)
        return job if job is not None and job.token == holder.token else None

    def _let_go(self, silent_s: float, thread: int, holder: CurrentJob | None) -> None:
        name = holder.job_id.decode(errors="backslashreplace") if holder is not None else ""
        job = self._find(holder)
        stuck = EventLoopStuck(silent_s, name, stack_of(thread), job.function if job is not None else "")

        def act() -> None:
            wait_until_logged = self._events.send_aside(stuck)
            if holder is not None:
                self._final_hand_back.hand_back_running(except_for=self._find(holder))
            wait_until_logged(_HAND_BACK_S)

        if self._process_exit is not None:
            self._process_exit.leave(1, act, _HAND_BACK_S)
        act()
