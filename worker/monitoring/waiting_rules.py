"""Why a job that nobody runs does not run: small rules in one order, the first that applies answers."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.errors import SHARED_DEPENDENCY
from worker.monitoring.explanation import Explanation, count, is_abort_asked, to_be_aborted
from worker.monitoring.job_facts import JobFacts, Place
from worker.monitoring.pause_words import paused_since
from worker.monitoring.times import duration, instant
from worker.queue.heartbeats import Heartbeat
from worker.queue.job_state import JobState, is_deferred
from worker.queue.pauses import Pause

# As in worker/engine/slots.py: a job with two lost leases runs alone, and with three it becomes a dead letter.
RUNS_ALONE_AT = 2
"""From so many lost leases on a job runs alone."""
# A job of an unknown function returns after five seconds if they are few, one that met an outage after one. Before
# it is due again, the reason for that is still why it does not run.
_SOON_S = 5.0
# One that waits for the circuit breaker of its function, or is one of many of an unknown one, returns within this.
_LONGEST_HELD_S = 300.0
_UNKNOWN_FOR_MS = 60_000
_REASONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A job that is on a queue and that nobody runs, and the workers of that queue that were heard lately."""

    facts: JobFacts
    place: Place
    workers: Sequence[Heartbeat]

    @property
    def state(self) -> JobState:
        return "deferred" if is_deferred(self.place.due_ms, self.facts.now_ms) else "queued"

    @property
    def was_unknown(self) -> bool:
        """Whether a worker was asked for the function within the last minute and did not have it."""
        at_ms = self.facts.unknown_ms
        return (
            at_ms is not None
            and at_ms >= self.facts.now_ms - _UNKNOWN_FOR_MS
            and self.is_due_within(_LONGEST_HELD_S)
        )

    def is_due_within(self, seconds: float) -> bool:
        return self.place.due_ms <= self.facts.now_ms + seconds * 1000

    def when(self, at_ms: float) -> str:
        return instant(at_ms, self.facts.now_ms)

    def paused(self, pause: Pause) -> str:
        return paused_since(pause, self.facts.now_ms)

    def since(self, reason: str) -> str:
        """Return since when the first of the workers gives this reason; empty if none of them says that."""
        times = [worker.since[reason] for worker in self.workers if reason in worker.since]
        return f" since {self.when(min(times).timestamp() * 1000)}" if times else ""


def explain_waiting(facts: JobFacts, place: Place) -> Explanation:
    """Return why a job that is on a queue, and that nobody runs, does not run."""
    job = _Waiting(facts, place, facts.serving(place.queue))
    return next(found for rule in _RULES if (found := rule(job)))


def _batch_cancelled(job: _Waiting) -> Explanation | None:
    batch = job.facts.batch
    if batch is None or batch.progress.state not in ("cancelling", "cancelled") or batch.outcome is not None:
        return None
    return Explanation(
        job.state,
        f"is to be dropped, because its batch {batch.progress.batch_id} was cancelled",
        "a worker removes it; it is not claimed any more",
    )


def _abort_asked(job: _Waiting) -> Explanation | None:
    if not is_abort_asked(job.facts):
        return None
    pause = job.facts.pause
    if pause is not None and pause.kind == "queue":
        return Explanation(
            job.state,
            f"{to_be_aborted(job.facts)}; no worker takes it, because its queue is {job.paused(pause)}",
            f"a worker ends it without running it after: {_resume(pause)}",
        )
    return Explanation(
        job.state,
        f"{to_be_aborted(job.facts)}; no worker runs it now",
        f"the worker that takes it ends it without running it; it is due {job.when(job.place.due_ms)}",
    )


def _no_payload(job: _Waiting) -> Explanation | None:
    if job.facts.payload == "stored":
        return None
    reason = "is queued without a payload: that has expired, as arq's own producers let it, or was deleted"
    if job.facts.payload == "foreign":
        reason = "is queued, but another program has written a value of another type to its key"
    change = f"the worker that takes it makes it a dead letter; it is due {job.when(job.place.due_ms)}"
    return Explanation(job.state, reason, change)


def _paused(job: _Waiting) -> Explanation | None:
    pause = job.facts.pause
    if pause is None:
        return None
    name = "" if pause.name == job.place.queue else f" {pause.name}"
    begin = f"its {pause.kind}{name} is {job.paused(pause)}"
    if job.state == "deferred" and job.facts.failure is not None:
        begin = f"is deferred until {job.when(job.place.due_ms)}, and {begin}"
    else:
        begin = f"waits, because {begin}"
    return Explanation(job.state, begin, f"resume it: {_resume(pause)}")


def _resume(pause: Pause) -> str:
    return f"hospital-worker resume {'' if pause.kind == 'queue' else '--function '}{shlex.quote(pause.name)}"


def _no_worker(job: _Waiting) -> Explanation | None:
    queue = job.place.queue
    if job.workers or not job.is_due_within(_SOON_S):
        return None
    ages = [age_s for worker, age_s in job.facts.workers if queue in worker.queues]
    heard = f"; the last heartbeat of one is {duration(min(ages))} old" if ages else ""
    return Explanation(
        job.state,
        f"waits for a worker: none serves {queue}{heard}",
        f"start a worker that serves {queue} (WORKER_QUEUES)",
    )


def _mongodb_unavailable(job: _Waiting) -> Explanation | None:
    if not job.workers or not job.is_due_within(_SOON_S):
        return None
    if {worker.why_not for worker in job.workers} != {f"{SHARED_DEPENDENCY} is unavailable"}:
        return None
    served = count(len(job.workers), "worker", "workers")
    return Explanation(
        job.state,
        f"waits for {SHARED_DEPENDENCY}, which is unavailable to the {served} of {job.place.queue}"
        f"{job.since(f'{SHARED_DEPENDENCY} is unavailable')}",
        f"it runs when {SHARED_DEPENDENCY} is back; waiting for that costs no try",
    )


def _no_worker_ready(job: _Waiting) -> Explanation | None:
    if any(worker.ready for worker in job.workers) or not job.is_due_within(_SOON_S):
        return None
    reasons = list(dict.fromkeys(f"{worker.why_not}{job.since(worker.why_not)}" for worker in job.workers))
    shown = "; ".join(reasons[:_REASONS_SHOWN])
    served = count(len(job.workers), "worker serves", "workers serve")
    return Explanation(
        job.state,
        f"waits for a ready worker: {served} {job.place.queue}, not ready: {shown}",
        "remove the cause (docs/operations.md, First look), or start another worker",
    )


def _function_unknown(job: _Waiting) -> Explanation | None:
    function = job.facts.function
    # Others that are due later wait for their back-off, or for the time that their producer named.
    within_s = _LONGEST_HELD_S if job.was_unknown and job.facts.failure is None else _SOON_S
    if function is None or not job.is_due_within(within_s) or any(function in it.functions for it in job.workers):
        return None
    had = "has it"
    if not all(worker.functions for worker in job.workers):
        # Workers of an earlier version do not say which functions they have, but which they were asked for in vain.
        if not job.was_unknown:
            return None
        had = f"had it, as of {job.when(job.facts.unknown_ms or 0)}"
    return Explanation(
        job.state,
        f"waits for a worker that has the function '{function}': none that serves {job.place.queue} {had}",
        "start a worker of a version that has it; until then the job is retried and spends no try",
    )


def _function_held(job: _Waiting) -> Explanation | None:
    begin = f"{job.facts.function}: "
    held = [reason for worker in job.workers for reason in worker.held if reason.startswith(begin)]
    if not held or not job.is_due_within(_LONGEST_HELD_S):
        return None
    reasons = "; ".join(dict.fromkeys(f"{reason.removeprefix(begin)}{job.since(reason)}" for reason in held))
    breaker = f"the circuit breaker of {job.facts.function} is open"
    if len(held) >= len(job.workers):
        change = "remove that cause; one job of the function at a time is tried, and all run when one has succeeded"
        return Explanation(job.state, f"waits, because {breaker}: {reasons}", change)
    if job.state == "queued" or job.facts.failure is not None:
        # A worker that does not hold the function runs it.
        return None
    some = f"in {len(held)} of {len(job.workers)} workers"
    reason = f"is deferred until {job.when(job.place.due_ms)}, because {breaker} {some}: {reasons}"
    return Explanation("deferred", reason, "nothing: a worker takes it then; another one may run it")


def _lacked_by_a_worker(job: _Waiting) -> Explanation | None:
    function = job.facts.function
    lacking = [worker for worker in job.workers if worker.functions and function not in worker.functions]
    if not lacking or not job.was_unknown or job.state == "queued" or job.facts.failure is not None:
        return None
    some = f"{len(lacking)} of {len(job.workers)} workers"
    reason = f"is deferred until {job.when(job.place.due_ms)}, because {some} lack the function '{function}'"
    return Explanation(
        "deferred", reason, "nothing: the job is retried until a worker takes it that has the function"
    )


def _suspected(job: _Waiting) -> Explanation | None:
    if job.facts.crashes < RUNS_ALONE_AT:
        return None
    lost = count(job.facts.crashes, "lease of it was lost", "leases of it were lost")
    return Explanation(
        job.state,
        f"is suspected of ending its workers, because {lost}: it waits to run alone",
        "it runs when the other jobs of a worker have ended; if one more lease is lost, it becomes a dead letter",
    )


def _deferred(job: _Waiting) -> Explanation | None:
    if job.state != "deferred":
        return None
    due, failure = job.when(job.place.due_ms), job.facts.failure
    if failure is None:
        return Explanation("deferred", f"is deferred until {due}, as scheduled", "nothing: a worker takes it then")
    ended = f"try {failure.tries} ended {job.when(failure.at_ms)} with {failure.type}"
    change = f"a worker takes it then; to run it now: hospital-worker jobs retry {shlex.quote(job.facts.job_id)}"
    return Explanation("deferred", f"is deferred until {due}: {ended}", change)


def _waiting(job: _Waiting) -> Explanation:
    ready = [worker for worker in job.workers if worker.ready]
    slots, busy = sum(worker.slots for worker in ready), sum(worker.running for worker in ready)
    ahead = count(job.place.ahead, "due job", "due jobs")
    serving = f"{count(len(ready), 'ready worker', 'ready workers')}, {busy:,} of {slots:,} slots busy"
    reason = f"waits behind {ahead} of {job.place.queue}: {serving}"
    rates = [rate for worker in ready if (rate := worker.rate_limits.get(job.place.queue)) is not None]
    if rates:
        return Explanation(
            "queued",
            f"{reason}; at most {max(rates):g} of its jobs start in a second (QUEUE_RATES)",
            "a worker takes it when that rate has let those before it start",
        )
    return Explanation(
        "queued", reason, "a worker takes it when it has taken those before it; more workers take them sooner"
    )


# In this order. What keeps a job from ever running comes before what keeps it from running now.
_RULES: Sequence[Callable[[_Waiting], Explanation | None]] = (
    _batch_cancelled,
    _abort_asked,
    _no_payload,
    _paused,
    _no_worker,
    _mongodb_unavailable,
    _function_held,
    _no_worker_ready,
    _function_unknown,
    _lacked_by_a_worker,
    _suspected,
    _deferred,
    _waiting,
)
