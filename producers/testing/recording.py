"""A producer that records the jobs that are enqueued, and runs none: for tests without servers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from producers.testing.memory_queue import MemoryProducer, MemoryQueue
from producers.testing.stored_jobs import StoredJob
from worker.contract import JobSpec, has_key
from worker.contract.actions import Action
from worker.contract.fields import BATCH_MARK
from worker.contract.validation import parse
from worker.queue.job_state import JobState

P = TypeVar("P", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)

Answer = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """One job that was enqueued; `payload` is what a worker would read, `delay` in seconds from the call.

    `idempotency_key` is `None` without one; `batch` is the id of its batch, or empty.
    """

    job_id: str
    spec: JobSpec[Any, Any]
    payload: BaseModel
    state: JobState
    delay: float
    idempotency_key: str | None
    batch: str


class _RecordingQueue(MemoryQueue):
    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = {}

    async def run(self, job: StoredJob) -> None:
        answer = self.answers.get(job.message["f"])
        if answer is None:
            return
        outcome = answer(self.payload(job))
        job.start()
        if isinstance(outcome, BaseException):
            self.kill(job, outcome)
        else:
            self.end(job, outcome)

    def payload(self, job: StoredJob) -> Any:
        return parse(self.specs[job.message["f"]].payload, job.message["a"][0])


class RecordingProducer(MemoryProducer):
    """A `HospitalProducer` that records jobs in memory.

    It validates payloads and options, returns receipts and refuses a key that is used twice as the real one does. A
    job waits for ever, unless `respond` has given its kind an answer: then it has ended when the call returns.
    `SyncHospitalProducer(RecordingProducer())` is the same for code without an event loop.
    """

    def __init__(self) -> None:
        self._recorded = _RecordingQueue()
        super().__init__(self._recorded)

    @property
    def jobs(self) -> list[RecordedJob]:
        """The jobs in the order in which they were enqueued, each once."""
        return [self._recorded_job(job) for job in self._recorded.stored.all.values()]

    def payloads(self, spec: JobSpec[P, Any]) -> list[P]:
        """Return the payloads of the jobs of one kind, in order, as a worker would read them."""
        stored = self._recorded.stored.all.values()
        return [self._recorded.payload(job) for job in stored if job.message["f"] == spec.name]

    @property
    def actions(self) -> list[Action]:
        """What `record_action` was called with."""
        return self._recorded.actions

    def respond(self, spec: JobSpec[P, O_co], answer: O_co | Exception | Callable[[P], O_co | Exception]) -> None:
        """End each job of this kind that is enqueued from now on, and is not deferred, with this answer.

        It is an outcome, an exception, or a function that returns one of them for a payload. With an exception the
        job becomes a dead letter, as after its last try, so its receipt raises `RemoteError`.
        """
        self._recorded.answers[spec.name] = answer if callable(answer) else lambda _: answer

    def _recorded_job(self, job: StoredJob) -> RecordedJob:
        _, _, key = job.job_id.partition(":")
        named = has_key(job.job_id) and not key.startswith(BATCH_MARK)
        return RecordedJob(
            job_id=job.job_id,
            spec=self._recorded.specs[job.message["f"]],
            payload=self._recorded.payload(job),
            state=job.view.state,
            delay=job.enqueued.delay_ms / 1000,
            idempotency_key=key if named else None,
            batch=job.batch,
        )
