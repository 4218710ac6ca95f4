"""A claimed job in a worker: whose claim it is, and how its run can be interrupted."""

import asyncio
import math
from typing import TYPE_CHECKING, Literal

from worker.queue.claim import ClaimedJob

if TYPE_CHECKING:
    from worker.engine.attempt import Attempt

Interruption = Literal["timeout", "abort", "lost", "shutdown", "postponed"]

CLEAN_UP_S = 3.0
"""Seconds that an interrupted job may clean up before it is cancelled again."""
# By how much the clocks of producers, of those who request aborts, and of Redis may differ.
_CLOCK_SKEW_MS = 5_000


class RunningJob:
    """One claimed job, from its claim until its completion is stored.

        claimed ──begin()──▶ running ──returned()──▶ returned ──end()──▶ ended
           │                    │
       interrupt()          interrupt()
           ▼                    ▼
      interrupted ──begin()─▶ cancelling ──returned()──▶ returned ──end()──▶ ended

    In `claimed` the task may not have taken its first step: an interruption is only noted, and `begin` raises it.
    In `running` it cancels the task, and again every 3 s until the job's coroutine returns. In `ended` only the
    storing of the completion is left, and nothing interrupts that. A job that does not return can be let go: it is
    completed from outside, and what its coroutine still does has no effect on the queue.

    `name` is the job's id as text, with bytes that are not UTF-8 escaped. `enqueued_ms` is infinite until the
    envelope has been read: before that, no request to abort is known to be meant for this job. `allowed_s` is how
    long its function may run, 0 until that is known. `attempt` is its try while that runs.
    """

    __slots__ = (
        "_begun",
        "_cancel_again",
        "_ended",
        "_interrupted_at",
        "allowed_s",
        "attempt",
        "breaker_era",
        "claimed",
        "enqueued_ms",
        "interrupted_by",
        "let_go",
        "name",
        "task",
        "token",
    )

    def __init__(self, claimed: ClaimedJob, token: str, breaker_era: int = 0) -> None:
        self.claimed = claimed
        self.name = claimed.job_id.decode(errors="backslashreplace")
        self.token = token
        self.breaker_era = breaker_era
        self.task: asyncio.Task[None] | None = None
        self.interrupted_by: Interruption | None = None
        self.enqueued_ms: float = math.inf
        self.allowed_s = 0.0
        self.attempt: Attempt | None = None
        self.let_go = False
        self._begun = False
        self._ended = False
        self._interrupted_at = math.inf
        self._cancel_again: asyncio.TimerHandle | None = None

    @property
    def score(self) -> int:
        """When the job is due, as arq gives it to hooks: an integer. A sorted set accepts infinities; 0 then."""
        return int(self.claimed.score) if math.isfinite(self.claimed.score) else 0

    @property
    def function(self) -> str:
        """The name of the function that it calls; empty before the envelope was read and after the end."""
        return self.attempt.call.function if self.attempt and self.attempt.call else ""

    @property
    def has_ended(self) -> bool:
        """Whether the job has ended, so that only the storing of its completion is left."""
        return self._ended

    def ignores_cancellation(self, since: float) -> bool:
        """Whether the job was cancelled before `since`, on the loop's clock, and runs on."""
        return self._interrupted_at < since and not self._ended

    def launched(self, task: "asyncio.Task[None]") -> None:
        """Note the task in which the job runs."""
        self.task = task

    def read(self, enqueued_ms: float) -> None:
        """Note when the job was enqueued, by Redis's clock."""
        self.enqueued_ms = enqueued_ms

    def is_meant_by(self, requested_ms: float) -> bool:
        """Whether a request to abort of that time (-1: none) is for this job and not for an earlier one of its id.

        Our producers remove old requests before they enqueue; arq's `enqueue_job` does not.
        """
        return requested_ms >= 0 and requested_ms >= self.enqueued_ms - _CLOCK_SKEW_MS

    def interrupt(self, reason: Interruption) -> None:
        """Cancel the job's coroutine, unless the job has ended or is interrupted already."""
        if self._ended or self.interrupted_by is not None:
            return
        self.interrupted_by = reason
        # A task that is cancelled before its first step never runs, and then nothing would hand the job back.
        if self._begun and self.task is not None:
            self._cancel(self.task)

    def _cancel(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        self._interrupted_at = min(self._interrupted_at, task.get_loop().time())
        # Repeated, because a cancellation can be lost: `asyncio.wait_for` of Python 3.11 swallows one that arrives
        # in the step in which its inner task ends, and redis-py sends each command through it.
        self._cancel_again = task.get_loop().call_later(CLEAN_UP_S, self._cancel, task)

    def begin(self) -> None:
        """Note that the task runs. Raises `CancelledError` if the job was interrupted before."""
        self._begun = True
        if self.interrupted_by is not None:
            raise asyncio.CancelledError

    def returned(self) -> None:
        """Note that the job's coroutine has returned, so that its interruption does not reach the hooks."""
        if self._cancel_again is not None:
            self._cancel_again.cancel()
            self._cancel_again = None
            self._interrupted_at = math.inf

    def end(self) -> None:
        """Note that only the storing of the completion is left, which nothing may interrupt."""
        self._ended = True
        # The attempt refers to the job: kept, the two would wait for the garbage collector.
        self.attempt = None
        self.returned()
        if self.task is not None:
            # The cancellation was meant for the job alone, and the job has answered it.
            while self.task.uncancel():
                pass
