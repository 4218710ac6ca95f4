"""One try of one job: what is called, since when, and with which context."""

import asyncio
import math
from datetime import UTC, datetime

from worker.engine.clock import RedisClock, now_ms
from worker.engine.envelope import Call
from worker.engine.options import JobContext, JobFunction, JobOptions
from worker.engine.running_job import RunningJob


class Attempt:
    """The facts of one try, filled in as it proceeds; times in milliseconds since 1970, by this machine's clock.

    `call` is `None` until the envelope was read, `function` until it was found, `context` until the job was
    started.
    """

    __slots__ = (
        "call",
        "claimed_ms",
        "clock",
        "context",
        "finished_ms",
        "function",
        "job",
        "started_ms",
        "timeout_s",
    )

    def __init__(self, job: RunningJob, clock: RedisClock) -> None:
        self.job = job
        self.clock = clock
        self.call: Call | None = None
        self.function: JobFunction | None = None
        self.context: JobContext | None = None
        self.timeout_s: float | None = None
        self.claimed_ms = self.started_ms = self.finished_ms = now_ms()

    @property
    def tries(self) -> int:
        """The number of this try, from 1."""
        return self.call.tries if self.call else self.job.claimed.tries

    @property
    def redis_ms(self) -> int:
        """When the try ended, by Redis's clock."""
        return self.clock.redis_ms(self.finished_ms)

    @property
    def pickup_s(self) -> float:
        """Seconds from due to started; 0 for a job without a finite due time."""
        score = self.job.claimed.score
        return max(0.0, (self.clock.redis_ms(self.started_ms) - score) / 1000) if math.isfinite(score) else 0.0

    def read(self, call: Call) -> None:
        """Take the decoded envelope."""
        self.call = call
        # The producer's clock may run ahead; the job was enqueued no later than it was due, nor than now.
        self.job.read(min(call.enqueue_ms, self.job.claimed.score, self.clock.redis_ms(self.claimed_ms)))

    def start(self, function: JobFunction, call: Call, options: JobOptions) -> JobContext:
        """Return the context that the job's function is called with."""
        self.timeout_s = timeout_s = options.timeout_of(function)
        score = self.job.claimed.score
        self.context = {
            **options.context,
            "job_id": self.job.name,
            "job_try": call.tries,
            "enqueue_time": datetime.fromtimestamp(call.enqueue_ms / 1000, UTC),
            # A sorted set accepts infinities; arq's context has an integer.
            "score": int(score) if math.isfinite(score) else 0,
            "job_deadline": math.inf if timeout_s is None else asyncio.get_running_loop().time() + timeout_s,
        }
        return self.context

    def running(self) -> None:
        """Note that the function is called now."""
        self.started_ms = now_ms()

    def finish(self) -> None:
        """Note that the try has ended."""
        self.finished_ms = now_ms()
        self.job.end()
