"""Puts jobs into groups that Redis takes in one step each."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from worker.queue.scripts import Enqueue
from worker.queue.sending import MOST_BYTES

P = TypeVar("P")

_GROUP_JOBS = 250


class JobGroup:
    """Jobs that Redis takes in one step: 250, or fewer if they are large."""

    def __init__(self) -> None:
        self._jobs: list[Enqueue] = []
        self._size = 0

    def add(self, job: Enqueue) -> list[Enqueue]:
        """Add a job; returns all of them once there are enough, and starts with none again."""
        self._jobs.append(job)
        self._size += len(job.payload)
        return self.take() if len(self._jobs) == _GROUP_JOBS or self._size >= MOST_BYTES else []

    def take(self) -> list[Enqueue]:
        """Return the jobs that are left, and start with none again."""
        jobs, self._jobs, self._size = self._jobs, [], 0
        return jobs


def in_groups(jobs: Iterable[Enqueue]) -> Iterator[list[Enqueue]]:
    """Yield jobs in groups that Redis takes in one step each."""
    group = JobGroup()
    for job in jobs:
        if full := group.add(job):
            yield full
    if rest := group.take():
        yield rest


async def groups_of(
    make: Callable[[P], Enqueue], payloads: Iterable[P] | AsyncIterable[P]
) -> AsyncIterator[list[Enqueue]]:
    """Make jobs of payloads as they come, and yield them in groups that Redis takes in one step each."""
    if isinstance(payloads, Iterable):
        for group in in_groups(map(make, payloads)):
            yield group
        return
    waiting = JobGroup()
    async for payload in payloads:
        if full := waiting.add(make(payload)):
            yield full
    if rest := waiting.take():
        yield rest
