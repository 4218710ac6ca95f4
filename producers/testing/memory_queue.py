"""A queue in memory in place of Redis, behind the real `HospitalProducer`.

The producers of this package differ from the real one only here, so they validate what it validates and have its
methods. `tests/integration/producers/testing/test_testing_contract.py` runs the same calls on both.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel

from producers.client import HospitalProducer
from producers.queue import QueueClient
from producers.testing.stored_batches import StoredBatches
from producers.testing.stored_facts import with_facts_of
from producers.testing.stored_jobs import StoredJob, StoredJobs, now_ms
from worker.contract import QUEUES, JobSpec
from worker.contract.actions import Action
from worker.errors import ConfigurationError, QueueFull
from worker.monitoring.job_facts import JobFacts
from worker.queue.batches import BatchStore
from worker.queue.job_state import JobView
from worker.queue.scripts import Enqueue, EnqueueState
from worker.settings import load_settings

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")

_LOOK_S = 0.005
_NOWHERE = "redis://in.memory"


class _Room:
    """How many jobs wait on each bounded queue while one call enqueues some, as enqueue.lua counts them."""

    def __init__(self, bounds: Mapping[str, int], jobs: StoredJobs) -> None:
        self._bounds = bounds
        # Without bounds a test may enqueue very many jobs.
        counted = jobs.all.values() if bounds else ()
        self._waiting = Counter(job.enqueued.queue for job in counted if job.waits)

    def take(self, queue: str, enqueued: int) -> None:
        """Count one more job of a call that has enqueued so many. Raises `QueueFull` if there is no room for it."""
        bound = self._bounds.get(queue)
        if bound is not None and self._waiting[queue] >= bound:
            raise QueueFull(queue, self._waiting[queue], bound, enqueued)
        self._waiting[queue] += 1


class MemoryQueue(QueueClient):
    """What a producer uses of Redis. A subclass says in `run` what becomes of a job that was enqueued."""

    def __init__(self) -> None:
        # Whatever the environment says: no connection is made, and no queue is bounded.
        super().__init__(load_settings(redis_url=_NOWHERE, queue_bounds={}), patience=0)
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

    def bound(self, bounds: Mapping[str, int]) -> None:
        """Let only so many jobs wait on these queues. Raises `ConfigurationError` as the real settings do."""
        self._settings = load_settings(redis_url=_NOWHERE, queue_bounds=dict(bounds))

    async def put(self, jobs: Sequence[Enqueue], batch: str = "") -> list[EnqueueState]:
        """Put jobs on their queues, and run those that are new and due. Raises `QueueFull` without waiting."""
        return await self._put(jobs, batch, self._settings.queue_bounds)

    async def _put(self, jobs: Sequence[Enqueue], batch: str, bounds: Mapping[str, int]) -> list[EnqueueState]:
        if batch:
            self.batches.admit(batch, jobs)
        room = _Room(bounds, self.stored)
        found: list[EnqueueState] = []
        new: list[StoredJob] = []
        try:
            for job in jobs:
                state = self._take(job, batch, room, len(found))
                found.append(state)
                if state == "new" and job.delay_ms <= 0:
                    new.append(self.stored.all[job.job_id])
        finally:
            for stored in new:
                await self._run(stored)
        return found

    def _take(self, job: Enqueue, batch: str, room: _Room, enqueued: int) -> EnqueueState:
        if batch and (known := self.batches.known(batch, job.job_id)):
            return known
        if job.job_id not in self.stored.all:
            room.take(job.queue, enqueued)
        state = self.stored.take(job)
        if batch:
            self.batches.add(batch, job.job_id)
        return state

    async def _run(self, job: StoredJob) -> None:
        # A batch that an earlier one of these jobs has cancelled has dropped it.
        if job.job_id in self.stored.all:
            await self.run(job)
        await self._run_completions()

    async def _run_completions(self) -> None:
        while self.batches.due:
            # However many jobs wait, as a worker puts it on a full queue.
            await self._put([self.batches.due.pop()], "", {})

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

    def __init__(self, queue: MemoryQueue) -> None:
        self._memory = queue
        super().__init__(queue)

    def bound_queues(self, bounds: Mapping[str, int]) -> None:
        """Let no more than so many jobs wait on each of these queues from now on, as `QUEUE_BOUNDS` does.

        Others take any number, as all do at first. A call that finds no room raises `QueueFull` at once, as with
        `patience_when_full=0`: nothing would make room while it waits. Raises `ConfigurationError` for a queue that
        is not one of the registry's and that `WORKER_QUEUES` does not name.
        """
        self._memory.bound(bounds)

    @classmethod
    def connect(cls, *_: object, **__: object) -> NoReturn:
        """Refuse: there is nothing to connect to."""
        raise ConfigurationError(f"a producer for tests is made by its class: {cls.__name__}(…)")
