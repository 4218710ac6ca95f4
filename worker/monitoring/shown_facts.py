"""The facts of one job as a command shows them, by name (`shown_facts`)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from worker.contract.job_ends import PastEnd
from worker.escaping import escape
from worker.monitoring.explanation import ExplainedState
from worker.monitoring.job_facts import JobFacts
from worker.monitoring.times import instant


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant in milliseconds since 1970, which any program may have written."""

    at_ms: float

    def words(self, now_ms: float) -> str:
        """Return it for a person."""
        return instant(self.at_ms, now_ms)

    def json(self) -> str | float:
        """Return it for a program: in the form of ISO 8601; one that the calendar does not have as it is stored."""
        try:
            return datetime.fromtimestamp(self.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        except (OverflowError, ValueError, OSError):
            return self.at_ms


def shown_facts(facts: JobFacts, state: ExplainedState) -> dict[str, object]:
    """Return every fact by its name; what is not known is `None`. There is nothing of the payload."""
    place, ended, dead, batch, failure = (
        facts.place, facts.ended, facts.dead_letter, facts.batch, facts.failure
    )  # fmt: skip
    queue = place.queue if place else ended.queue if ended else dead.queue if dead else None
    lease_ms = place.lease_ms if place else None
    if facts.ends:
        return _shown_past(facts, state)
    return {
        "job_id": facts.job_id,
        "state": state,
        "function": facts.function or (dead.function if dead else None),
        "queue": queue,
        "enqueued_at": _at(facts.enqueued_ms),
        "due_at": _at(place.due_ms) if place and lease_ms is None else None,
        "due_jobs_before": place.ahead if place and state == "queued" else None,
        "leased_by": facts.owner,
        "leased_until": _at(lease_ms),
        "tries_spent": ended.tries if ended else dead.failure.tries if dead else facts.tries,
        "last_error": failure.type if failure else None,
        "last_error_at": _at(failure.at_ms) if failure else None,
        "lost_leases": facts.crashes or (dead.crashes if dead else 0),
        "abort_asked_at": _at(facts.abort_ms),
        "payload": "stored" if dead and dead.has_payload else facts.payload,
        "payload_bytes": dead.payload_bytes if dead else facts.payload_bytes,
        "finished_at": _at(ended.finished_ms) if ended else None,
        "run_s": max(0, ended.finished_ms - ended.started_ms) / 1000 if ended else None,
        "outcome": ended.status or None if ended else None,
        "error": dead.failure.type if dead else ended.error or None if ended else None,
        "dead_since": _at(facts.dead_ms),
        "dead_reason": dead.reason if dead else None,
        "batch": batch.progress.batch_id if batch else None,
        "batch_state": batch.progress.state if batch else None,
        "batch_outcome": batch.outcome if batch else None,
        "workers": [
            f"{worker.worker}: {worker.state(age_s)}" for worker, age_s in facts.workers if queue in worker.queues
        ],
    }


def _shown_past(facts: JobFacts, state: ExplainedState) -> dict[str, object]:
    latest, end = facts.ends[0], facts.ends[0].end
    return {
        "job_id": facts.job_id,
        "state": state,
        "function": end.function or None,
        "queue": end.queue,
        "enqueued_at": _at(end.enqueued_ms or None),
        "finished_at": _at(end.ended_ms),
        "tries_spent": end.tries,
        "run_s": max(0, end.ended_ms - end.started_ms) / 1000,
        "outcome": end.status or None,
        "error": end.error or None,
        "dead_reason": end.reason or None,
        "hospital": end.hospital_id or None,
        "batch": end.batch or None,
        "worker": latest.worker,
        "all_ends": [shown_end(past) for past in facts.ends],
    }


def shown_end(past: PastEnd) -> str:
    """Return one end of a job on one line."""
    end = past.end
    detail = f" ({end.status or end.error})" if end.status or end.error else ""
    return f"{Instant(end.ended_ms).json()}: {end.outcome}{detail}, try {end.tries}, {past.worker}"


def in_words(fact: object, now_ms: float) -> str:
    """Return a fact for a person; empty if it is not known. Text of others is escaped."""
    match fact:
        case Instant():
            return fact.words(now_ms)
        case list():
            return "\n".join(map(escape, fact))
        case int():
            return f"{fact:,}"
    return "" if fact is None else escape(str(fact))


def _at(at_ms: float | None) -> Instant | None:
    return None if at_ms is None else Instant(at_ms)
