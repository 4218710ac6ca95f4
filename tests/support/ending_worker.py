"""Ends jobs as a worker does, on a real Redis and without running them."""

from redis.asyncio import Redis

from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts

OUTCOME = {"hospital_id": "cms:1", "revision": 1, "status": "created", "reason": None, "token": None}
_QUEUES = [(DEFAULT_QUEUE, 1_000), (BULK_QUEUE, 1_000)]


class EndingWorker:
    """A worker whose jobs return `OUTCOME`, when a test lets them."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self.scripts = Scripts(redis)
        self._codec = Codec()

    async def claim(self) -> list[ClaimedJob]:
        """Claim all jobs that are due."""
        return (await self.scripts.claim("token", 60_000, 1_000, _QUEUES)).jobs

    async def end(self, *jobs: ClaimedJob, life_ms: int = 60_000) -> None:
        """Store the completions of these jobs in one step."""
        await self.scripts.finish([self._completion(job, life_ms) for job in jobs])

    async def end_all(self) -> int:
        """End all jobs that are due, a hundred in a step; returns how many there were."""
        ended = 0
        while jobs := await self.claim():
            for first in range(0, len(jobs), 100):
                await self.end(*jobs[first : first + 100])
            ended += len(jobs)
        return ended

    def _completion(self, job: ClaimedJob, life_ms: int) -> Completion:
        message = self._codec.decode(job.payload) | {
            "t": 1,
            "s": True,
            "r": OUTCOME,
            "st": 1,
            "ft": 2,
            "q": job.queue,
        }
        return Completion(job.job_id, job.queue, "token", "done", self._codec.encode(message), life_ms)
