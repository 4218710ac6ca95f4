"""Receipts of enqueued jobs, and what they tell."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from producers.queue import QueueClient
from worker.contract.validation import parse
from worker.errors import InvalidEnvelope, InvalidPayload, JobNotFound, RemoteError
from worker.queue.job_state import JobState
from worker.queue.scripts import EnqueueState

O_co = TypeVar("O_co", bound=BaseModel, covariant=True)

_FIRST_POLL_S, _LONGEST_POLL_S = 0.005, 0.25


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What is known of one job; `error` says why it failed or died."""

    job_id: str
    state: JobState
    tries: int
    outcome: dict[str, Any] | None = None
    error: str | None = None
    enqueued_at: datetime | None = None


class Receipt(Generic[O_co]):
    """Proof that Redis has taken a job.

    `state` tells how the queue found it: `new`, or `queued`, `running`, `done` or `dead` when a job of the same
    id was there already.
    """

    # A caller of `enqueue_many` may hold a great many.
    __slots__ = ("_outcome", "_queue", "job_id", "state")

    def __init__(
        self, queue: QueueClient, job_id: str, outcome: type[O_co], state: EnqueueState | None = None
    ) -> None:
        self.job_id = job_id
        self.state = state
        self._queue = queue
        self._outcome = outcome

    async def outcome(self, timeout: float) -> O_co:
        """Wait up to `timeout` seconds for the job to end, and return its outcome.

        Raises `RemoteError` if the job failed, `TimeoutError` if it has not ended in time, `JobNotFound` if
        nothing of it is left, `OutageError` if Redis does not answer until then, and `InvalidEnvelope` for a
        result that is not this job's, or `UntrustedEnvelope` for one not signed as QUEUE_SIGNING_KEYS demands.
        """
        deadline = time.monotonic() + timeout
        delay = _FIRST_POLL_S
        while True:
            view = await self._queue.view(self.job_id, deadline - time.monotonic())
            if view.dead_letter is not None:
                failure = view.dead_letter.failure
                raise RemoteError(failure.type, failure.message, failure.traceback)
            if view.result is not None:
                return self._finished(view.result)
            if view.state == "unknown":
                raise JobNotFound(
                    f"{self.job_id}: no such job; was its outcome asked for within WORKER_KEEP_RESULT?"
                )
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self.job_id}: still {view.state} after {timeout:g} s")
            await asyncio.sleep(min(delay, left))
            delay = min(_LONGEST_POLL_S, delay * 1.5)

    def _finished(self, result: dict[str, Any]) -> O_co:
        if not result["s"]:
            error = result["r"]
            raise error if isinstance(error, RemoteError) else RemoteError("Failed", str(error))
        try:
            return parse(self._outcome, result["r"])
        except InvalidPayload as error:
            # Written by somebody else, or by a worker of another version.
            raise InvalidEnvelope(f"{self.job_id} has ended, but its result is not understood: {error}") from None
