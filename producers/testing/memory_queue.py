"""A queue in memory in place of Redis, behind the real `HospitalProducer`.

The producers of this package differ from the real one only here, so they validate what it validates and have its
methods. `tests/integration/producers/testing/test_testing_contract.py` runs the same calls on both.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel

from producers.client import HospitalProducer
from producers.queue import QueueClient
from producers.testing.stored_batches import StoredBatches
from producers.testing.stored_facts import with_facts_of
from producers.testing.stored_jobs import StoredJob, StoredJobs, now_ms
from worker.contract import QUEUES, JobSpec
from worker.contract.actions import Action
from worker.errors import ConfigurationError
from worker.monitoring.job_facts import JobFacts
from worker.queue.batches import BatchStore
from worker.queue.job_state import JobView
from worker.queue.scripts import Enqueue, EnqueueState
from worker.settings import load_settings

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")

_LOOK_S = 0.005


class MemoryQueue(QueueClient):
    """What a producer uses of Redis. A subclass says in `run` what becomes of a job that was enqueued."""

    def __init__(self) -> None:
        # Whatever the environment says: no connection is made.
        super().__init__(load_settings(redis_url="redis://in.memory"), patience=0)
        self.specs: dict[str, JobSpec[Any, Any]] = {}
        self.stored = StoredJobs(self._codec)
        self.batches = StoredBatches(self.stored)
        self.actions: list[Action] = []

    def _prepare(self) -> None:
        """Make no client of Redis."""

    async def run(self, job: StoredJob) -> None:
        """Run a job that is due, or leave it on the queue."""

    async def open(self) -> None:
        """Connect to nothing."""

    async def close(self) -> None:
        """Keep everything, because the test looks at it."""

    def job(
        self,
        spec: JobSpec[P, BaseModel],
        payload: P,
        job_id: str,
        delay_s: float = 0,
        batch: str = "",
        *,
        has_key: bool = False,
    ) -> Enqueue:
        """Return the job as the queue stores it."""
        self.specs[spec.name] = spec
        return super().job(spec, payload, job_id, delay_s, batch, has_key=has_key)

    async def put(self, jobs: Sequence[Enqueue], batch: str = "") -> list[EnqueueState]:
        """Put jobs on their queues, and run those that are new and due."""
        if batch:
            self.batches.admit(batch, jobs)
        new: list[StoredJob] = []
        try:
            return [self._take(job, batch, new) for job in jobs]
        finally:
            for job in new:
                await self._run(job)

    def _take(self, job: Enqueue, batch: str, new: list[StoredJob]) -> EnqueueState:
        if batch and (known := self.batches.known(batch, job.job_id)):
            return known
        state = self.stored.take(job)
        if batch:
            self.batches.add(batch, job.job_id)
        if state == "new" and job.delay_ms <= 0:
            new.append(self.stored.all[job.job_id])
        return state

    async def _run(self, job: StoredJob) -> None:
        # A batch that an earlier one of these jobs has cancelled has dropped it.
        if job.job_id in self.stored.all:
            await self.run(job)
        await self._run_completions()

    async def _run_completions(self) -> None:
        while self.batches.due:
            await self.put([self.batches.due.pop()])

    def is_bounded(self, spec: JobSpec[Any, Any]) -> bool:  # noqa: ARG002 (none is)
        """Whether only so many jobs may wait on a queue of theirs: there is room in memory."""
        return False

    async def on_batches(self, call: Callable[[BatchStore], Awaitable[T]]) -> T:
        """Return what a call on the batches returns."""
        result = await call(self.batches)
        await self._run_completions()
        return result

    async def record(self, action: Action) -> None:
        """Keep the record of an act of an operator."""
        self.actions.append(action)

    async def facts(self, job_id: str) -> JobFacts:
        """Return what is known of a job, as Redis would while no worker runs."""
        facts = JobFacts(job_id=job_id, now_ms=now_ms(), queues=QUEUES)
        job = self.stored.all.get(job_id)
        return facts if job is None else with_facts_of(job, facts)

    async def abort(self, job_id: str) -> None:
        """End a job that waits, as a worker does that claims it."""
        job = self.stored.all.get(job_id)
        if job is not None and job.waits:
            job.complete(self._codec, asyncio.CancelledError())
            self.batches.count_end(job, "aborted")
            await self._run_completions()

    async def view(self, job_id: str, patience: float) -> JobView:  # noqa: ARG002 (memory is there at once)
        """Return what is known of a job."""
        job = self.stored.all.get(job_id)
        return job.view if job is not None else JobView(job_id, "unknown", 0)

    async def end_of(self, job_id: str, timeout: float, *, comes_later: bool = False) -> JobView:  # noqa: ARG002 (none comes later)
        """Return what is known of a job; only of one that runs, wait up to `timeout` seconds for its end.

        Nothing else would end a job that waits, so waiting for it would only make a test slow.
        """
        deadline = time.monotonic() + timeout
        # Not an `asyncio.Event`: the job may run for a call in another event loop.
        while (view := await self.view(job_id, 0)).state == "running" and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        return view

    async def envelope(self, job_id: str) -> dict[str, Any] | None:
        """Return the envelope of a job."""
        job = self.stored.all.get(job_id)
        return job.message if job is not None else None

    def end(self, job: StoredJob, outcome: object) -> None:
        """End a job with its outcome."""
        job.complete(self._codec, outcome)
        self.batches.count_end(job, "complete")

    def kill(self, job: StoredJob, error: BaseException) -> None:
        """Make a job a dead letter."""
        job.kill(error)
        self.batches.count_end(job, "dead")


class MemoryProducer(HospitalProducer):
    """The real client on a queue in memory."""

    @classmethod
    def connect(cls, *_: object, **__: object) -> NoReturn:
        """Refuse: there is nothing to connect to."""
        raise ConfigurationError(f"a producer for tests is made by its class: {cls.__name__}(…)")
