"""One try of one job: what is called, since when, and with which context."""

import math
import time
from datetime import UTC, datetime

from worker.contract.job_ends import Trace
from worker.engine.batch_run import BatchRun
from worker.engine.clock import RedisClock
from worker.engine.envelope import Call
from worker.engine.options import JobContext, JobFunction
from worker.engine.running_job import RunningJob


class Attempt:
    """The facts of one try, filled in as it proceeds; times in milliseconds since 1970, by this machine's clock.

    `call` is `None` until the envelope was read, and `context` until the job was started. `function` is the one for
    unknown functions until the job's own was found. `batch` is what a job of a batch counts in it, once started.
    """

    __slots__ = (
        "ahead_ms",
        "batch",
        "call",
        "claimed_ms",
        "context",
        "finished_ms",
        "function",
        "job",
        "started_ms",
    )

    def __init__(self, job: RunningJob, clock: RedisClock, unknown: JobFunction) -> None:
        self.job = job
        job.attempt = self
        self.ahead_ms = clock.ahead_ms
        self.call: Call | None = None
        self.function = unknown
        self.context: JobContext | None = None
        self.batch: BatchRun | None = None
        self.claimed_ms = self.started_ms = self.finished_ms = time.time_ns() // 1_000_000

    @property
    def tries(self) -> int:
        """The number of this try, from 1."""
        return self.call.tries if self.call else self.job.claimed.tries

    @property
    def redis_ms(self) -> int:
        """When the try ended, by Redis's clock."""
        return self.finished_ms + self.ahead_ms

    @property
    def pickup_s(self) -> float:
        """Seconds from due to started; 0 for a job without a finite due time."""
        waited_ms = self.started_ms + self.ahead_ms - self.job.claimed.score
        return waited_ms / 1000 if 0 < waited_ms < math.inf else 0.0

    @property
    def since_enqueued_s(self) -> float:
        """Seconds from enqueued, by the producer's clock, to started; 0 if the envelope was not read."""
        return (self.started_ms - self.call.enqueue_ms) / 1000 if self.call else 0.0

    @property
    def label(self) -> str:
        """How arq names the job in its results and in its log."""
        function = self.call.function if self.call else "<unknown>"
        # Only cron jobs hold their ids.
        return function if self.function.id_hold_ms else f"{self.job.name}:{function}"

    def trace(self, outcome: str, *, status: str = "", error: str = "", reason: str = "") -> Trace:
        """Return what the history keeps of the job that this try has ended: see `JobEnd`."""
        job, call = self.job, self.call
        function, enqueued_ms, batch = (call.function, call.enqueue_ms, call.batch) if call else ("", 0, "")
        # Set by the job: see `JobRun.about` in worker/jobs/context.py.
        about = self.context.get("about_hospital", "") if self.context else ""
        times = self.started_ms, self.finished_ms
        always = (job.name, function, job.claimed.queue, outcome, self.tries, enqueued_ms, *times)
        if status or error or reason or batch or about:
            return (*always, status, error, reason, batch, about)
        return always

    def read(self, call: Call) -> None:
        """Take the decoded envelope."""
        self.call = call
        # The producer's clock may run ahead; the job was enqueued no later than it was due, nor than now.
        self.job.read(min(call.enqueue_ms, self.job.claimed.score, self.claimed_ms + self.ahead_ms))

    def find(self, function: JobFunction) -> None:
        """Take the function that the job calls."""
        self.function = function
        self.job.allowed_s = math.inf if function.timeout_s is None else function.timeout_s

    def start(self, call: Call, worker_context: JobContext, deadline: float) -> JobContext:
        """Return the context that the job's function is called with; `deadline` is on the loop's clock."""
        self.context = {
            **worker_context,
            "job_id": self.job.name,
            "job_try": call.tries,
            "enqueue_time": datetime.fromtimestamp(call.enqueue_ms / 1000, UTC),
            "score": self.job.score,
            "job_deadline": deadline,
        }
        if call.batch:
            self.context["batch"] = self.batch = BatchRun(call.batch, worker_context["redis"])
        return self.context

    def running(self) -> None:
        """Note that the function is called now."""
        self.started_ms = time.time_ns() // 1_000_000

    def finish(self) -> None:
        """Note that the try has ended."""
        self.finished_ms = time.time_ns() // 1_000_000
        self.job.end()
