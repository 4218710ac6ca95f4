"""What the harness asks of a job queue."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from benchmarks.jobs import Payload

JobName = Literal["noop", "ingest_hospital"]


class System(ABC):
    """One job queue in the best setting that compares: one worker process, results kept, acknowledged by its
    own default.
    """

    name: ClassVar[str]

    def arguments(self, job: JobName) -> Sequence[str]:
        """Return the arguments of Python that run a worker; it finds the servers in its environment."""
        return ("-m", "benchmarks.worker", self.name, job)

    def work(self, redis_url: str, job: JobName) -> None:
        """Run a worker in this process until SIGTERM; not for a system that is run by its own command line."""
        raise NotImplementedError

    @abstractmethod
    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Put one job per payload on the queue; noop takes no argument."""

    @abstractmethod
    async def unfinished(self, redis: Any, jobs: int) -> int:
        """Return how many of `jobs` jobs are not stored as ended, asked in one or two cheap commands."""
