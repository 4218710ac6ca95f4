"""What a claim returns: the leased jobs, and when to claim again."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

EnvelopeProblem = Literal["", "missing", "wrong-type"]

_BYTES_BESIDE_PAYLOAD = 100
HEARD_OF = "-"
"""Stands in `ClaimedJob.lost_by` for an owner that called after its lease had ended, and so had not died."""


class ClaimedJob(NamedTuple):
    """One leased job. `job_id` is bytes, because any program can write to Redis.

    `tries` counts this try and those that were spent. `crashes` is how often its lease ended and its owner was not
    heard of again. `score` is the due time in ms that it had. `abort_ms` is when its abort was requested, or -1.
    `lost_by` has an entry for each of its leases that ended: the owner's token, or `HEARD_OF`.
    """

    job_id: bytes
    queue: str
    score: float
    tries: int
    crashes: int
    abort_ms: float
    problem: EnvelopeProblem
    payload: bytes
    lost_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim; times in ms by Redis's clock, `next_due_ms` of what is deferred, or -1.

    `paused` has what an operator had paused when the jobs were claimed: see `worker.queue.pauses`. The queues
    in `held_back` had more due jobs than their rate let start.
    """

    now_ms: int
    next_due_ms: int
    jobs: list[ClaimedJob]
    paused: frozenset[str] = frozenset()
    held_back: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """About how many bytes the answer had; claim.lua counts likewise."""
        return sum([len(job.payload) + _BYTES_BESIDE_PAYLOAD for job in self.jobs])


def worker_of(token: str) -> str:
    """Return the id of the worker that owns a job by this token."""
    return token.rpartition(":")[0] or token
