"""What moves the jobs of the outbox on: onto their queues, and out of the outbox once they have ended."""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from worker.codec import Codec
from worker.contract import JOBS
from worker.contract.identity import source_in_identity
from worker.contract.outbox import OutboxJob, OutboxPage, OutboxSize, Place
from worker.contract.source_queues import queue_of
from worker.engine.context import EngineContext
from worker.engine.events import OutboxJobSkipped
from worker.queue.job_state import find_ended
from worker.queue.scripts import Enqueue
from worker.queue.sending import send_budget, send_some
from worker.queue.waiters import Waiters
from worker.redis.client import call_timeout_s

# Jobs that are moved on together. A lower number keeps the others waiting for less long.
_TOGETHER = 250
# The ends of jobs beyond are found by looking, without a notice. Each takes about half a kilobyte.
_MOST_NOTED = 10_000
# Of jobs beyond, it is neither counted nor reported that they cannot be enqueued.
_MOST_SKIPPED, _MOST_REPORTED = 10_000, 1_000


class OutboxSource(Protocol):
    """The outbox, whatever it is stored in. Every call may raise `RegistryError`."""

    async def find(self, places: Collection[Place]) -> list[OutboxJob]:
        """Return the jobs at those of these places that have one."""

    async def envelopes(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the envelopes of the jobs at those of these places that have one."""

    async def page(self, after: Any) -> OutboxPage:
        """Return the first jobs of some hospitals, those after an id or, for `None`, the first ones."""

    async def remove(self, places: Collection[Place]) -> None:
        """Remove jobs that have ended."""

    async def size(self) -> OutboxSize:
        """Return how much is in it, in time that does not grow with that."""

    def added(self) -> AbstractAsyncContextManager[Callable[[], Awaitable[list[OutboxJob]]]]:
        """Watch for jobs that are added from now on; yields what waits for some of them for a moment."""


class OutboxSteps:
    """Moves on the first job that each hospital has in the outbox.

    in the outbox ── not known to Redis ──► put on its queue ── waits and runs ──► ended: removed, and then the next
    one of the hospital is the first

    A job leaves the outbox only when Redis shows that it has ended, so a job that Redis has lost is put on its
    queue again. Every step may be repeated, and taken by two workers at once: the queue takes an id once, and what
    has ended is not put on it again.
    """

    def __init__(self, context: EngineContext, source: OutboxSource) -> None:
        self._redis = context.redis
        self._scripts = context.scripts
        self._events = context.events
        self._source_queues = context.source_queues
        self._source = source
        # It reads no result.
        self._waiters = Waiters(context.redis, Codec())
        self._budget = send_budget(call_timeout_s(context.redis))
        self._heads: deque[OutboxJob] = deque()
        self._noted: dict[str, OutboxJob] = {}
        self._reported: set[str] = set()
        self._skipped: set[str] = set()

    @property
    def has_work(self) -> bool:
        """Whether there are jobs to move on now."""
        return bool(self._heads)

    @property
    def waits(self) -> bool:
        """Whether Redis notes when jobs end that are on their queues."""
        return bool(self._noted)

    @property
    def skipped(self) -> int:
        """How many jobs cannot be enqueued, of those that were looked at since `forget`."""
        return len(self._skipped)

    def look_at(self, heads: Iterable[OutboxJob]) -> None:
        """Take jobs of which each is the first of its hospital."""
        self._heads.extend(heads)

    def forget(self) -> None:
        """Forget what is on its queue, and what cannot be: all first jobs are looked at again."""
        self._noted.clear()
        self._skipped.clear()

    async def take_added(self, added: Sequence[OutboxJob]) -> None:
        """Take jobs that were added; one whose predecessor is still in the outbox waits for its end."""
        before = await self._source.find([job.place.before for job in added if job.place.seq > 1])
        waiting = {job.place.after for job in before}
        self.look_at(job for job in added if job.place not in waiting)

    async def take_ended(self) -> None:
        """Take the jobs that have ended since the last call, as far as Redis has noted them."""
        if self._noted:
            ended = [self._noted.pop(job_id, None) for job_id in await self._waiters.take_ended()]
            self.look_at(job for job in ended if job is not None)

    async def step(self) -> None:
        """Move on some of the jobs."""
        heads = [self._heads.popleft() for _ in range(min(_TOGETHER, len(self._heads)))]
        by_id = {job.job_id: job for job in heads}
        over = await self._over(list(by_id))
        ended = await find_ended(self._redis, over)
        for job_id in by_id.keys() - set(over):
            self._note(by_id[job_id])
        await self._put([by_id[job_id] for job_id in over if job_id not in ended])
        await self._remove([by_id[job_id] for job_id in over if job_id in ended])

    async def _put(self, jobs: Sequence[OutboxJob]) -> None:
        by_id = {job.job_id: job for job in jobs}
        put = await self._enqueue(await self._made(jobs))
        over = await self._over(put)
        for job_id in set(put) - set(over):
            self._note(by_id[job_id])
        # Those that have ended within these moments. What Redis has lost already is found by the next look at all.
        self.look_at(by_id[job_id] for job_id in await find_ended(self._redis, over))

    async def _made(self, jobs: Sequence[OutboxJob]) -> list[Enqueue]:
        """Return jobs as the queue stores them, without those that another worker has removed meanwhile."""
        envelopes = await self._source.envelopes([job.place for job in jobs])
        now = datetime.now(UTC)
        made = []
        for job in jobs:
            spec = JOBS.get(job.job_id.partition(":")[0])
            if spec is None:
                self._skip(job.job_id, "this version has no such kind of job")
            elif job.place in envelopes:
                queue = queue_of(spec, source_in_identity(job.place.hospital_id), self._source_queues)
                made.append(Enqueue(job.job_id, queue, envelopes[job.place], job.left_ms(now)))
        return made

    async def _enqueue(self, jobs: Sequence[Enqueue]) -> list[str]:
        """Put jobs on their queues; returns their ids."""
        sent = 0
        while sent < len(jobs):
            sent += len(await send_some(self._scripts, self._budget, jobs[sent:]))
        return [job.job_id for job in jobs]

    async def _remove(self, jobs: Sequence[OutboxJob]) -> None:
        if not jobs:
            return
        for job in jobs:
            self._noted.pop(job.job_id, None)
        await self._source.remove([job.place for job in jobs])
        self.look_at(await self._source.find([job.place.after for job in jobs]))

    async def _over(self, job_ids: Sequence[str]) -> list[str]:
        """Return those of these jobs that are not on a queue; Redis notes that this worker waits for the others."""
        return (await self._waiters.over(job_ids, note=True)).ids if job_ids else []

    def _note(self, job: OutboxJob) -> None:
        if len(self._noted) < _MOST_NOTED:
            self._noted[job.job_id] = job

    def _skip(self, job_id: str, reason: str) -> None:
        if len(self._skipped) < _MOST_SKIPPED:
            self._skipped.add(job_id)
        if job_id not in self._reported and len(self._reported) < _MOST_REPORTED:
            self._reported.add(job_id)
            self._events.send(OutboxJobSkipped(job_id, reason))
