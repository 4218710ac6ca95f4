"""Receipts of enqueued jobs (`Receipt`), and the status of a job (`JobStatus`)."""

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


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of one job; `error` says why it failed or became a dead letter."""

    job_id: str
    state: JobState
    tries: int
    outcome: dict[str, Any] | None = None
    error: str | None = None
    enqueued_at: datetime | None = None


class Receipt(Generic[O_co]):
    """Proof that Redis has taken a job, or that the outbox has.

    `state` is `new`, or `queued`, `running`, `done` or `dead` if a job with the same id existed already; `None` if
    that is not known. `comes_later`: the job is in the outbox, and Redis does not know it before a worker has moved
    it.
    """

    # A caller of `enqueue_many` may keep very many receipts.
    __slots__ = ("_comes_later", "_outcome", "_queue", "job_id", "state")

    def __init__(
        self,
        queue: QueueClient,
        job_id: str,
        outcome: type[O_co],
        state: EnqueueState | None = None,
        *,
        comes_later: bool = False,
    ) -> None:
        self.job_id = job_id
        self.state = state
        self._queue = queue
        self._outcome = outcome
        self._comes_later = comes_later

    async def outcome(self, timeout: float) -> O_co:
        """Wait up to `timeout` seconds for the job to end, and return its outcome.

        Raises `RemoteError` if the job failed, `TimeoutError` if it has not ended in time, `JobNotFound` if Redis
        has no record of it, `OutageError` if Redis does not answer in that time, `InvalidEnvelope` if the result is
        not a valid one of this job, and `UntrustedEnvelope` if no key of `QUEUE_SIGNING_KEYS` verifies it.
        """
        view = await self._queue.end_of(self.job_id, timeout, comes_later=self._comes_later)
        if view.dead_letter is not None:
            failure = view.dead_letter.failure
            raise RemoteError(failure.type, failure.message, failure.traceback)
        if view.result is not None:
            return self._finished(view.result)
        if view.state == "unknown" and self._comes_later:
            raise TimeoutError(
                f"{self.job_id}: not in Redis after {timeout:g} s: its transaction is not committed, an earlier "
                "job of its hospital has not ended, no worker empties the outbox, or it ended more than "
                "WORKER_KEEP_RESULT seconds ago"
            )
        if view.state == "unknown":
            raise JobNotFound(f"{self.job_id}: no such job, or it ended more than WORKER_KEEP_RESULT seconds ago")
        raise TimeoutError(f"{self.job_id}: still {view.state} after {timeout:g} s")

    async def abort(self) -> None:
        """Ask workers not to run the job, or to cancel it if it runs. It may have ended before they notice.

        Raises `OutageError` if Redis does not answer.
        """
        await self._queue.abort(self.job_id)

    def _finished(self, result: dict[str, Any]) -> O_co:
        if not result["s"]:
            error = result["r"]
            raise error if isinstance(error, RemoteError) else RemoteError("Failed", str(error))
        try:
            return parse(self._outcome, result["r"])
        except InvalidPayload as error:
            # Another program wrote the result, or a worker of another version.
            raise InvalidEnvelope(f"{self.job_id} has ended, but its result is not valid: {error}") from None
