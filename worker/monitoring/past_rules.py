"""Why a job that Redis no longer knows is in its state: the rule for its latest end in the history."""

import shlex

from worker.contract.job_ends import JobEnd
from worker.monitoring.explanation import Explanation, count
from worker.monitoring.job_facts import JobFacts
from worker.monitoring.times import instant


def explain_past(facts: JobFacts) -> Explanation | None:
    """Return how a job ended, as the history says; `None` if it says nothing of it."""
    if not facts.ends:
        return None
    end = facts.ends[0].end
    state, reason, change = _explain_end(end, facts.now_ms)
    if (others := len(facts.ends) - 1) > 0:
        reason += f"; {count(others, 'earlier end', 'earlier ends')} of this id (hospital-worker jobs show "
        reason += f"{shlex.quote(facts.job_id)})"
    return Explanation(state, reason, change)


def _explain_end(end: JobEnd, now_ms: float) -> Explanation:
    when, tries = instant(end.ended_ms, now_ms), count(end.tries, "try", "tries")
    match end.outcome:
        case "complete":
            outcome = f" with the outcome {end.status}" if end.status else ""
            return Explanation("done", f"finished {when} after {tries}{outcome}", "nothing: the job is done")
        case "aborted":
            return Explanation("aborted", f"was aborted {when}", "nothing: an aborted job does not run again")
        case "dead":
            return Explanation(
                "failed",
                f"was dead-lettered {when} after {tries}: {end.reason} ({end.error}); no dead letter of it is kept",
                "nothing: it was discarded, retried or moved to a file; if still wanted, enqueue the job again",
            )
    return Explanation("ended", f"ended {when} ({end.outcome})", "nothing: the job has ended")
