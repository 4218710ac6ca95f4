"""Batches of a queue that lies in memory. The rules are those of worker/queue/lua/batches.lua."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from producers.testing.stored_jobs import StoredJob, StoredJobs
from worker.errors import BatchClosed, BatchNotFound
from worker.queue.batches import BatchJob, BatchOutcome, BatchProgress, BatchState, BatchStore, check_count
from worker.queue.scripts import Enqueue, EnqueueState


@dataclass(slots=True)
class _Batch:
    completion: Enqueue | None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    sealed: bool = False
    cancelled: bool = False
    jobs: dict[str, BatchOutcome | None] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def state(self) -> BatchState:
        if self.finished_at is not None:
            return "cancelled" if self.cancelled else "finished"
        if self.cancelled:
            return "cancelling"
        return "sealed" if self.sealed else "open"


class StoredBatches(BatchStore):
    """What a producer calls of `BatchStore`, in memory. Completion jobs that are due are in `due`."""

    def __init__(self, jobs: StoredJobs) -> None:  # the base class would connect to Redis
        self._jobs = jobs
        self._batches: dict[str, _Batch] = {}
        self.due: list[Enqueue] = []

    async def create(self, batch_id: str, completion: Enqueue | None) -> bool:
        """Create an open batch; one that exists stays as it is. Returns whether it is new."""
        if batch_id in self._batches:
            return False
        self._batches[batch_id] = _Batch(completion)
        return True

    async def seal(self, batch_id: str) -> None:
        """Fix the number of jobs. Raises `BatchNotFound`."""
        batch = self._found(batch_id)
        batch.sealed = True
        self._end(batch)

    async def cancel(self, batch_id: str) -> int:
        """Drop the jobs that wait; returns how many. Raises `BatchNotFound`."""
        batch = self._found(batch_id)
        if batch.finished_at is not None:
            return 0
        batch.cancelled = True
        dropped = [it for it, ended in batch.jobs.items() if ended is None and self._jobs.all[it].waits]
        for job_id in dropped:
            self._jobs.forget(job_id)
            batch.jobs[job_id] = "dropped"
        self._end(batch)
        return len(dropped)

    async def progress(self, batch_id: str) -> BatchProgress:
        """Return how far a batch is. Raises `BatchNotFound`."""
        batch = self._found(batch_id)
        ended = Counter(outcome for outcome in batch.jobs.values() if outcome is not None)
        return BatchProgress(
            batch_id=batch_id,
            state=batch.state,
            total=len(batch.jobs),
            complete=ended["complete"],
            dead=ended["dead"],
            aborted=ended["aborted"],
            dropped=ended["dropped"],
            counts=dict(batch.counts),
            completion=batch.completion.job_id if batch.completion else "",
            created_at=batch.created_at,
            finished_at=batch.finished_at,
        )

    async def jobs(self, batch_id: str, first: int = 0) -> list[BatchJob]:
        """Return the jobs of a batch from position `first` on."""
        return [BatchJob(*job) for job in list(self._found(batch_id).jobs.items())[first:]]

    def admit(self, batch_id: str, jobs: Sequence[Enqueue]) -> None:
        """Raise `BatchNotFound`, or `BatchClosed` if the batch does not take one of these jobs."""
        batch = self._found(batch_id)
        closed = "cancelled" if batch.cancelled else "sealed" if batch.sealed else ""
        if closed and any(job.job_id not in batch.jobs for job in jobs):
            raise BatchClosed(f"{batch_id}: the batch is {closed} and takes no more jobs; nothing was enqueued")

    def known(self, batch_id: str, job_id: str) -> EnqueueState | None:
        """Return what a batch knows of a job that it has dropped; `None` for any other."""
        return "done" if self._found(batch_id).jobs.get(job_id) == "dropped" else None

    def add(self, batch_id: str, job_id: str) -> None:
        """Count a job in a batch, once."""
        self._found(batch_id).jobs.setdefault(job_id)

    def count_end(self, job: StoredJob, outcome: BatchOutcome) -> None:
        """Count how a job has ended in its batch. A job of no batch changes nothing."""
        batch = self._batches.get(job.batch)
        if batch is None or job.job_id not in batch.jobs:
            return
        batch.jobs[job.job_id] = outcome
        batch.counts.update(job.counts)
        self._end(batch)

    def _found(self, batch_id: str) -> _Batch:
        if batch_id not in self._batches:
            raise BatchNotFound(f"{batch_id}: no batch has this id; create it first")
        return self._batches[batch_id]

    def _end(self, batch: _Batch) -> None:
        takes_no_more = batch.sealed or batch.cancelled
        if batch.finished_at is None and takes_no_more and None not in batch.jobs.values():
            batch.finished_at = datetime.now(UTC)
            if batch.completion is not None:
                self.due.append(batch.completion)


class StoredBatchRun:
    """What a job of a batch finds as `ctx["batch"]`; see `worker.engine.batch_run.BatchRun`."""

    def __init__(self, batch_id: str, batches: StoredBatches) -> None:
        self.id = batch_id
        self.counts: dict[str, int] = {}
        self._batches = batches

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter of the batch; a try that fails counts nothing. Raises `ValueError`."""
        check_count(name, number)
        self.counts[name] = self.counts.get(name, 0) + number

    async def progress(self) -> BatchProgress:
        """Return how far the batch is. Raises `BatchNotFound`."""
        return await self._batches.progress(self.id)
