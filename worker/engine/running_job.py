"""A job in a worker's hands: whose claim it is, and how its run can be interrupted."""

import asyncio
import math
from typing import Literal

from worker.queue.scripts import Claimed

Interruption = Literal["timeout", "abort", "lost", "shutdown", "postponed"]

CLEAN_UP_S = 3.0
"""How long a job that was interrupted may clean up before it is cancelled once more."""
# By how much the clocks of producers, of those who ask to abort, and of Redis may differ.
_CLOCKS_APART_MS = 5_000


class Running:
    """One claimed job, from its claim until its completion is stored.

    `name` is its id as text, with bytes that are not UTF-8 escaped.

    `enqueued_ms` is known once the envelope has been read; until then no request to abort can be told to be meant
    for this job.
    """

    def __init__(self, claimed: Claimed, token: str) -> None:
        self.claimed = claimed
        self.name = claimed.job_id.decode(errors="backslashreplace")
        self.token = token
        self.task: asyncio.Task[None] | None = None
        self.interrupted_by: Interruption | None = None
        self.enqueued_ms: float = math.inf
        self._begun = False
        self._ended = False
        self._again: asyncio.TimerHandle | None = None

    def is_meant_by(self, asked_ms: float) -> bool:
        """Whether a request to abort of that time (-1: none) is for this job and not for an earlier of its id.

        Our producers clear away what was asked before they enqueue; arq's `enqueue_job` does not.
        """
        return asked_ms >= 0 and asked_ms >= self.enqueued_ms - _CLOCKS_APART_MS

    def interrupt(self, why: Interruption) -> None:
        """Cancel the job's coroutine, unless it has ended or is interrupted already."""
        if self._ended or self.interrupted_by is not None:
            return
        self.interrupted_by = why
        # A task that is cancelled before its first step never runs, and then nobody would hand the job back.
        if self._begun and self.task is not None:
            self._cancel(self.task)

    def _cancel(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        # Repeated, because a cancellation can be lost on its way: `asyncio.wait_for` of Python 3.11 swallows one
        # that comes in the step in which its inner task ends, and redis-py sends each command through it.
        self._again = task.get_loop().call_later(CLEAN_UP_S, self._cancel, task)

    def returned(self) -> None:
        """Say that the job's coroutine has ended, so that nothing more of its interruption reaches the hooks."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def begin(self) -> None:
        """Say that the task runs. Raises `CancelledError` if the job was interrupted before."""
        self._begun = True
        if self.interrupted_by is not None:
            raise asyncio.CancelledError

    def end(self) -> None:
        """Say that only the storing of the result is left, which nothing may interrupt."""
        self._ended = True
        self.returned()
        if self.task is not None:
            # The cancellation was meant for the job alone, and it has been answered.
            while self.task.uncancel():
                pass
