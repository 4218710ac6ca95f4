"""Jobs of requests that come at the same time, sent to Redis with one call."""

import asyncio
import time
from collections.abc import Sequence

from producers.queue import QueueClient
from worker.errors import InvalidPayload, KeyUsedTwice, OutageError, QueueFull, RegistryError
from worker.queue.scripts import Enqueue, EnqueueState

_REFUSALS = (InvalidPayload, KeyUsedTwice, QueueFull)
_Answer = EnqueueState | RegistryError
# One is made while the other is on its way.
_CALLS_AT_ONCE = 2
# What Redis takes in one step. Large jobs of a group go in several.
_MOST_JOBS = 250


class GroupedQueue(QueueClient):
    """A queue client whose calls of a single job share calls to Redis.

    Nobody waits for others: a job goes at once, with those that have come in the same turn of the event loop. Only
    while two calls are on their way, jobs wait, and go together when one of them is answered.
    """

    def _prepare(self) -> None:
        super()._prepare()
        self._turns = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._next: _Group | None = None
        self._sending: set[asyncio.Task[list[_Answer]]] = set()
        self._out_at, self._outage = 0.0, ""

    async def close(self) -> None:
        """Close the connections. Calls that are on their way are cancelled."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await super().close()

    async def put(self, jobs: Sequence[Enqueue], batch: str = "") -> list[EnqueueState]:
        """Put jobs on their queues, as `QueueClient.put` does. The answer to a single job is about it alone."""
        if len(jobs) != 1 or batch:
            return await super().put(jobs, batch)
        group = self._next
        if group is None or group.is_full:
            group = self._next = _Group()
            group.sent = asyncio.create_task(self._send(group))
            self._sending.add(group.sent)
            group.sent.add_done_callback(self._sending.discard)
        place = group.add(jobs[0])
        # Others wait for the same call, so a request that is cancelled leaves it alone.
        answer = (await asyncio.shield(group.sent))[place]
        if isinstance(answer, RegistryError):
            raise answer
        return [answer]

    async def _send(self, group: "_Group") -> list[_Answer]:
        async with self._turns:
            if self._next is group:
                self._next = None
            if self._out_at > group.began:
                # Found out while this one waited for its turn: to try again could take as long again.
                raise OutageError(self._outage, dependency="Redis")
            try:
                return list(await super().put(group.jobs))
            except OutageError as error:
                self._out_at, self._outage = time.monotonic(), str(error)
                raise
            except _REFUSALS as error:
                if len(group.jobs) == 1:
                    return [error]
            # One of them is refused, and those after it were not looked at.
            return await asyncio.gather(*(self._put_again(job) for job in group.jobs))

    async def _put_again(self, job: Enqueue) -> _Answer:
        """Return how the queue finds a job that the call of its group may have enqueued."""
        try:
            (state,) = await super().put([job])
            return await self._first_found(job, state)
        except RegistryError as error:
            return error


class _Group:
    """Jobs that go together, and the call that sends them."""

    def __init__(self) -> None:
        self.jobs: list[Enqueue] = []
        self.began = time.monotonic()
        self.sent: asyncio.Task[list[_Answer]]

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return len(self.jobs) == _MOST_JOBS

    def add(self, job: Enqueue) -> int:
        """Add a job, and return its place."""
        self.jobs.append(job)
        return len(self.jobs) - 1
