"""The jobs of a queue that lies in memory, each in the form that a producer reads from Redis."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from worker.codec import Codec
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest
from worker.queue.job_state import JobState, JobView
from worker.queue.scripts import Enqueue, EnqueueState, key_used_twice

# From here on Redis's look-up calls a job deferred: see `worker.queue.job_state.is_deferred`.
_DEFERRED_MS = 1_000


@dataclass(slots=True)
class StoredJob:
    """One job: as it was enqueued, its decoded envelope, and what a producer sees of it now."""

    enqueued: Enqueue
    message: dict[str, Any]
    view: JobView
    counts: dict[str, int] = field(default_factory=dict)
    """What its completed run has counted in its batch."""

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.enqueued.job_id

    @property
    def batch(self) -> str:
        """The id of its batch, empty if it is in none."""
        batch: str = self.message.get("b", "")
        return batch

    @property
    def waits(self) -> bool:
        """Whether it can be run, dropped or aborted: it neither runs nor has ended."""
        return self.view.state in ("queued", "deferred")

    def start(self) -> None:
        """Begin a try."""
        self.view = replace(self.view, state="running", tries=self.view.tries + 1)

    def wait(self) -> None:
        """Let it wait for another try."""
        self.view = replace(self.view, state="queued")

    def complete(self, codec: Codec, outcome: object) -> None:
        """End it with an outcome, or a failure if that is an exception, as a worker stores it."""
        success = not isinstance(outcome, BaseException)
        now = now_ms()
        sent = self.message | {"t": max(1, self.view.tries), "s": success, "r": outcome, "st": now, "ft": now}
        result = codec.decode(codec.encode({**sent, "q": self.enqueued.queue, "id": self.job_id}))
        state: JobState = "done" if success else "failed"
        self.view = JobView(self.job_id, state, result["t"], result=result)

    def kill(self, error: BaseException) -> None:
        """Make it a dead letter, as a worker stores it."""
        tries = max(1, self.view.tries)
        letter = DeadLetter(
            job_id=self.job_id,
            function=self.message["f"],
            queue=self.enqueued.queue,
            payload_bytes=len(self.enqueued.payload),
            payload_digest=payload_digest(self.enqueued.payload),
            reason="unexpected error",
            failure=Failure.of(error, tries, now_ms()),
            crashes=0,
            worker="in memory",
            enqueued_at=datetime.fromtimestamp(self.message["et"] / 1000, UTC),
        )
        self.view = JobView(self.job_id, "dead", tries, dead_letter=letter)


class StoredJobs:
    """The jobs by id, in the order in which they were enqueued. None expires."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._by_id: dict[str, StoredJob] = {}

    @property
    def all(self) -> Mapping[str, StoredJob]:
        """The jobs by id."""
        return self._by_id

    def take(self, job: Enqueue) -> EnqueueState:
        """Put a job on its queue unless its id is known; returns how the queue found the id, as enqueue.lua does.

        Raises `KeyUsedTwice` if the id was used for something else.
        """
        message = self._codec.decode(job.payload)
        known = self._by_id.get(job.job_id)
        if known is None:
            state: JobState = "deferred" if job.delay_ms > _DEFERRED_MS else "queued"
            self._by_id[job.job_id] = StoredJob(job, message, JobView(job.job_id, state, 0))
            return "new"
        if "d" in message and message["d"] != known.message.get("d"):
            raise key_used_twice(job.job_id)
        if known.waits:
            return "queued"
        match known.view.state:
            case "running":
                return "running"
            case "dead":
                return "dead"
        return "done"

    def forget(self, job_id: str) -> None:
        """Remove a job as if it had never been enqueued."""
        del self._by_id[job_id]


def now_ms() -> int:
    """Return the time as envelopes have it."""
    return time.time_ns() // 1_000_000
