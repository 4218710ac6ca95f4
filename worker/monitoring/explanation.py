"""What an operator reads about one job (`Explanation`), and the words that its rules share."""

from typing import Literal, NamedTuple

from worker.monitoring.job_facts import JobFacts
from worker.monitoring.times import instant
from worker.queue.job_state import JobState

ExplainedState = JobState | Literal["aborted", "dropped", "lost", "ended"]
"""The states of `hospital-producer status`, and four more: there an aborted job is `failed`, a job whose result
cannot be read (`ended`) is an error, and a job that only its batch knows (`dropped`, `lost`) is `unknown`."""

# As in worker/engine/running_job.py: an older request to abort was meant for an earlier job of this id.
_CLOCK_SKEW_MS = 5_000


class Explanation(NamedTuple):
    """The state of a job, the reason for it, and what would change it; the reason continues `The job …`."""

    state: ExplainedState
    reason: str
    change: str


def is_abort_asked(facts: JobFacts) -> bool:
    """Whether an abort of the job was asked for, and not of an earlier job of its id."""
    return facts.abort_ms is not None and facts.abort_ms >= (facts.enqueued_ms or 0) - _CLOCK_SKEW_MS


def to_be_aborted(facts: JobFacts) -> str:
    """Return the beginning of a reason that names the request to abort."""
    return f"is to be aborted, as asked {instant(facts.abort_ms or 0, facts.now_ms)}"


def count(number: int, one: str, several: str) -> str:
    """Return a number and what it counts."""
    return f"{number:,} {one if number == 1 else several}"
