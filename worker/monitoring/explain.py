"""Why a job is in the state that it is in, in words, and what would change it (`explain`).

A pure function over `JobFacts`: the rules are asked one after the other, and the first that applies answers.
"""

import shlex

from worker.contract.outbox import OUTBOX_MARK
from worker.monitoring.explanation import ExplainedState, Explanation, count, is_abort_asked, to_be_aborted
from worker.monitoring.job_facts import JobFacts, Place
from worker.monitoring.past_rules import explain_past
from worker.monitoring.times import duration, instant
from worker.monitoring.waiting_rules import RUNS_ALONE_AT, explain_waiting
from worker.queue import keys
from worker.queue.heartbeats import STALE_AFTER_S


def explain(facts: JobFacts) -> Explanation:
    """Return the state of a job, the reason, and what would change it."""
    for ended_rule in (_dead, _unreadable, _ended):
        if found := ended_rule(facts):
            return found
    place = facts.place
    if place is None:
        return _of_no_queue(facts)
    for claimed_rule in (_leased, _held_by_arq, _lease_lapsed):
        if found := claimed_rule(facts, place):
            return found
    return explain_waiting(facts, place)


def _dead(facts: JobFacts) -> Explanation | None:
    dead = facts.dead_letter
    if dead is None:
        return None
    at_ms = facts.dead_ms or dead.failure.at_ms
    reason = f"was dead-lettered {instant(at_ms, facts.now_ms)} after {count(dead.failure.tries, 'try', 'tries')}"
    job = shlex.quote(facts.job_id)
    change = f"fix the cause (hospital-worker dead show {job}), then: hospital-worker dead retry {job}"
    if not dead.has_payload:
        change = f"it cannot be retried, having no payload; hospital-worker dead discard {job} deletes it"
    return Explanation("dead", f"{reason}: {dead.reason} ({dead.failure.type})", change)


def _unreadable(facts: JobFacts) -> Explanation | None:
    if not facts.unreadable:
        return None
    return Explanation(
        "ended",
        f"has a result that is not readable: {facts.unreadable}",
        "run this command with the QUEUE_SIGNING_KEYS of the workers; otherwise another program wrote the result",
    )


def _ended(facts: JobFacts) -> Explanation | None:
    ended = facts.ended
    if ended is None:
        return None
    when, tries = instant(ended.finished_ms, facts.now_ms), count(ended.tries, "try", "tries")
    if ended.aborted:
        return Explanation("aborted", f"was aborted {when}", "nothing: an aborted job does not run again")
    if ended.success:
        outcome = f" with the outcome {ended.status}" if ended.status else ""
        return Explanation("done", f"finished {when} after {tries}{outcome}", "nothing: the job is done")
    return Explanation(
        "failed",
        f"failed {when} after {tries} ({ended.error}); no dead letter of it is kept",
        "nothing: enqueue the job again, under another id while its result is kept",
    )


def _of_no_queue(facts: JobFacts) -> Explanation:
    if facts.payload != "missing":
        return Explanation(
            "queued",
            f"has a payload, but is on none of the queues {', '.join(facts.queues)}: no worker takes it",
            "set WORKER_QUEUES as the workers have it; if it is on none of their queues either, its entry was "
            f"deleted: delete the key {keys.JOB}{facts.job_id}, and enqueue the job again",
        )
    batch = facts.batch
    if past := explain_past(facts):
        return past
    match batch.outcome if batch else None:
        case None:
            waits = ", or it waits in the outbox" if facts.job_id.partition(":")[2].startswith(OUTBOX_MARK) else ""
            return Explanation(
                "unknown",
                f"is not known: it was never enqueued{waits}, or it ended longer ago than {_longest_kept(facts)}",
                "check the id",
            )
        case "dropped":
            return Explanation(
                "dropped",
                f"was dropped, because its batch {_batch_id(facts)} was cancelled",
                "nothing: a batch that was cancelled takes no more jobs",
            )
        case "lost":
            return Explanation(
                "lost",
                f"has left no trace but in its batch {_batch_id(facts)}: its keys were deleted before it ended",
                "enqueue the job again under another id",
            )
        case outcome:
            word: dict[str, ExplainedState] = {"complete": "done", "aborted": "aborted"}
            return Explanation(
                word.get(outcome, "failed"),
                f"has ended ({outcome}), as its batch {_batch_id(facts)} says; its result is not kept any more",
                "nothing: the job has ended",
            )


def _longest_kept(facts: JobFacts) -> str:
    if facts.has_history:
        return "the history reaches (WORKER_HISTORY_DAYS)"
    return "results are kept (WORKER_KEEP_RESULT)"


def _batch_id(facts: JobFacts) -> str:
    return facts.batch.progress.batch_id if facts.batch else ""


def _leased(facts: JobFacts, place: Place) -> Explanation | None:
    if place.lease_ms is None or place.lease_ms <= facts.now_ms or not facts.is_held:
        return None
    found = next(((worker, age_s) for worker, age_s in facts.workers if worker.worker == facts.owner), None)
    owner, state, started_ms = f"worker {facts.owner or 'unknown'}", "", 0.0
    if found is not None:
        worker, age_s = found
        owner += f" (host {worker.host}, pid {worker.pid})"
        started_ms = worker.started_at.timestamp() * 1000
        if not worker.ready or age_s > STALE_AFTER_S:
            state = f"; that worker: {worker.state(age_s)}"
    until = instant(place.lease_ms, facts.now_ms)
    reason = f"is leased by {owner} until {until}{_running_for(facts, started_ms)}{state}"
    if is_abort_asked(facts):
        change = "that worker cancels it within a second, and ends the job as aborted"
        return Explanation("running", f"{to_be_aborted(facts)}; it {reason}", change)
    if facts.crashes >= RUNS_ALONE_AT:
        reason += f"; it runs alone, because {facts.crashes} leases of it were lost"
    change = "it ends; its lease is renewed meanwhile, and if the worker dies another one takes the job"
    return Explanation("running", reason, change)


def _running_for(facts: JobFacts, started_ms: float) -> str:
    """Return for how long a job can have been running: Redis does not know when it was claimed.

    `started_ms` is when its worker was started, or 0.
    """
    since = max(facts.enqueued_ms or 0, facts.failure.at_ms if facts.failure else 0, started_ms)
    return f", running for at most {duration((facts.now_ms - since) / 1000)}" if since else ""


def _held_by_arq(facts: JobFacts, place: Place) -> Explanation | None:
    if place.lease_ms is not None or not facts.is_held:
        return None
    return Explanation(
        "running",
        "is run by a worker of arq's own, which holds no lease",
        "it ends; if that worker dies, the job is taken again when its in-progress key expires",
    )


def _lease_lapsed(facts: JobFacts, place: Place) -> Explanation | None:
    if place.lease_ms is None:
        return None
    lapsed = instant(min(place.lease_ms, facts.now_ms), facts.now_ms)
    change = f"the next worker that claims from {place.queue} takes it again, and counts a lost lease"
    if not facts.serving(place.queue):
        change = f"start a worker that serves {place.queue}: none does; it takes the job again"
    return Explanation(
        "queued",
        f"was leased by worker {facts.owner or 'unknown'}, whose lease ended {lapsed} and was not renewed",
        change,
    )
