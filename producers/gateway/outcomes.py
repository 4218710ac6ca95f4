"""The outcomes of jobs, as they are shown: in today's words, without those that older readers need."""

from typing import Any

from producers.gateway.problems import Problem
from producers.receipts import JobStatus
from worker.contract import JOBS
from worker.contract.validation import parse
from worker.errors import InvalidEnvelope, InvalidPayload, JobNotFound

ENDED = frozenset({"done", "failed", "dead"})


def known(status: JobStatus) -> JobStatus:
    """Return the status of a job that is known. Raises `JobNotFound` for any other."""
    if status.state == "unknown":
        raise JobNotFound(f"{status.job_id}: no such job, or it ended more than WORKER_KEEP_RESULT seconds ago")
    return status


def shown_status(status: JobStatus) -> dict[str, Any]:
    """Return the state of a job, without its outcome."""
    return {
        "job_id": status.job_id,
        "state": status.state,
        "tries": status.tries,
        "enqueued_at": status.enqueued_at,
        "error": status.error,
    }


def shown_outcome(status: JobStatus) -> dict[str, Any]:
    """Return how a job has ended. Raises `InvalidEnvelope` if what it left is not an outcome of its kind."""
    content = {"job_id": status.job_id, "state": status.state, "outcome": None, "error": status.error}
    spec = JOBS.get(status.job_id.partition(":")[0])
    if status.state != "done" or spec is None:
        # The job of an arq user's own function has a result of any form.
        return content | {"outcome": status.outcome}
    try:
        # Not `model_dump`, which adds the words that readers of earlier versions know.
        return content | {"outcome": dict(parse(spec.outcome, status.outcome))}
    except InvalidPayload as error:
        raise InvalidEnvelope(f"{status.job_id} has ended, but its result is not valid: {error}") from None


def nothing_to_change(what: str) -> Problem:
    """Return the problem of an act on something that has ended."""
    return Problem(409, "nothing-to-do", what)
