"""The interface between the harness and a job queue."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from benchmarks.jobs import Payload

JobName = Literal["noop", "ingest_hospital"]


class System(ABC):
    """One job queue with its best comparable settings: one worker process, results kept, its default
    acknowledgement mode.
    """

    name: ClassVar[str]

    def arguments(self, job: JobName) -> Sequence[str]:
        """Return Python's arguments to run a worker, which finds the servers in its environment."""
        return ("-m", "benchmarks.worker", self.name, job)

    def work(self, redis_url: str, job: JobName) -> None:
        """Run a worker in this process until SIGTERM. Not used by a system that runs by its own command line."""
        raise NotImplementedError

    @abstractmethod
    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Enqueue one job per payload; noop takes no argument."""

    @abstractmethod
    async def unfinished(self, redis: Any, jobs: int) -> int:
        """Return how many of `jobs` jobs are not stored as finished, by one or two cheap commands."""
