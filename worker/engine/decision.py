"""Decides what becomes of a job after a try: pure functions from how the try ended to the completion to store.

Whether a failed job is retried is decided in `retry_policy`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from arq.worker import JobExecutionFailed, Retry, RetryJob

from worker.contract.job_ends import LONGEST_REASON, Trace
from worker.contract.outcomes import Outcome
from worker.engine.attempt import Attempt
from worker.engine.events import JobOutcome, TryEnded
from worker.engine.options import JobOptions
from worker.engine.results import log_extra, loggable_message, make_dead_letter, result_data
from worker.engine.retry_policy import DeadLetterIt, Trouble, retry_decision, trouble_of
from worker.errors import OutageError, PermanentError, TransientError, class_name
from worker.queue.batches import BatchOutcome, completion_entry
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion, SpentTries
from worker.queue.dead_letter import Failure
from worker.redis.limits import ALWAYS_ACCEPTED

CRASH_LIMIT = 3
"""How many lost leases, whose owners were not heard of again, dead-letter a job: it probably kills its workers."""
LOSS_LIMIT = 5
"""How many lost leases in all dead-letter a job: it blocks its workers for longer than a lease, and never ends."""
_LONGEST_POSTPONEMENT_MS = 1_000
# After any other outcome the job runs again.
_BATCH_OUTCOMES: Mapping[JobOutcome, BatchOutcome] = {"complete": "complete", "dead": "dead", "aborted": "aborted"}


class LeaseLost(PermanentError):
    """The lease of the job ended too often: its workers died, or they were held up for longer than a lease."""


class JobAborted(Exception):
    """An abort of the job was requested before it started."""


class JobCancelled(TransientError):
    """Something within the job was cancelled, and not by this worker."""


class UndescribableError(PermanentError):
    """The job raised an error that cannot be turned into text; the message is the name of its class."""


class FunctionUnknown(Exception):
    """This worker has no function of the job's name; a newer one may. The job returns in `delay_s` seconds."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        super().__init__()


class PutAside(Exception):
    """The job's function is paused, or its circuit breaker is open; the job returns in `delay_s` seconds."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        super().__init__()


@dataclass(slots=True)
class Decision:
    """What becomes of a job: the completion to store, and the event to send once it is stored.

    There is no completion if another worker owns the job by now. `trouble` is what kept a dependency from serving
    the job. `attempt` is that of a job that succeeded with a result that may turn out to be too large.
    """

    completion: Completion | None
    event: TryEnded
    trouble: Trouble | None = None
    attempt: Attempt | None = field(default=None, compare=False)


class DecisionRules:
    """The rules of one worker: its options, its id for dead letters, and whether a history of ended jobs is kept.

    `jitter` arguments are random numbers from 0 to 1.
    """

    def __init__(self, options: JobOptions, worker_id: str, *, keeps_history: bool = False) -> None:
        self._options = options
        self._worker_id = worker_id
        self._keeps_history = keeps_history

    def after_success(self, attempt: Attempt, result: object) -> Decision:
        """Return the decision on a job that returned `result`."""
        trace = None
        if self._keeps_history:
            # Only an outcome of the contract is known to have a status that is not payload.
            is_known = result is not None and isinstance(result, Outcome)
            trace = attempt.trace("complete", status=getattr(result, "status", "") if is_known else "")
        completion = self._final(attempt, result, trace, success=True)
        # Most attempts are freed here: kept until they are stored, they would keep the garbage collector busy.
        kept = attempt if len(completion.result) > ALWAYS_ACCEPTED else None
        return _in_batch(Decision(completion, _event(attempt, "complete"), attempt=kept), attempt)

    def without_result(self, decision: Decision, error: Exception) -> Decision:
        """Return the decision to store instead of one whose result cannot be stored, because of `error`.

        A job that succeeded is dead-lettered: it has had its effect, so it must not run again, and a caller must
        not wait for its result. Of another job only the result is left out; its dead letter says why it ended.
        """
        if decision.attempt is not None:
            dead = self._dead(decision.attempt, error, "the result cannot be stored", None)
            return _in_batch(dead, decision.attempt)
        completion = decision.completion and decision.completion._replace(result=b"", result_life_ms=0)
        return replace(decision, completion=completion)

    def after_failure(self, attempt: Attempt, error: BaseException, *, jitter: float) -> Decision:
        """Return the decision on a try that `error` ended, or that was interrupted.

        An error that cannot be described, such as one whose `__str__` fails, ends its own job all the same: what is
        stored then is an `UndescribableError` with the name of its class.
        """
        try:
            decision = self._after_failure(attempt, error, jitter)
        except BaseException:  # noqa: BLE001 (whatever a job's error raises when it is looked at, `SystemExit` too, must not leave the job leased)
            decision = self._after_failure(attempt, UndescribableError(class_name(error)), jitter)
        return _in_batch(decision, attempt)

    def _after_failure(self, attempt: Attempt, error: BaseException, jitter: float) -> Decision:
        match attempt.job.interrupted_by:
            case "lost":
                decision = Decision(None, _event(attempt, "lease_lost"))
            case "abort":
                decision = self._aborted(attempt)
            case "postponed":
                decision = self._postponed(attempt, "postponed", jitter * _LONGEST_POSTPONEMENT_MS)
            case "shutdown" if self._options.retry_jobs and not isinstance(error, Retry):
                completion = Completion.hand_back(attempt.job.claimed, attempt.job.token)
                decision = Decision(completion, _event(attempt, "handed_back"))
            case "timeout" if not isinstance(error, OutageError):
                # The traceback shows where the job was when its time was over.
                timeout = TimeoutError(f"not finished within {attempt.function.timeout_s:g} s")
                decision = self._after_error(attempt, timeout.with_traceback(error.__traceback__), jitter)
            case None if isinstance(error, JobAborted):
                decision = self._aborted(attempt)
            case None if isinstance(error, FunctionUnknown):
                decision = self._postponed(attempt, "function_unknown", error.delay_s * 1000)
            case None if isinstance(error, PutAside):
                decision = self._postponed(attempt, "put_aside", error.delay_s * 1000)
            case None if isinstance(error, asyncio.CancelledError):
                cancelled = JobCancelled("cancelled from within").with_traceback(error.__traceback__)
                decision = self._after_error(attempt, cancelled, jitter)
            case _:
                decision = self._after_error(attempt, error, jitter)
        return decision

    def _after_error(self, attempt: Attempt, error: BaseException, jitter: float) -> Decision:
        tries, limit = attempt.tries, attempt.function.max_tries
        decision = retry_decision(error, tries=tries, max_tries=limit, jitter=jitter)
        trouble = trouble_of(error)
        if isinstance(decision, DeadLetterIt):
            return self._dead(attempt, error, decision.reason, trouble)
        if not self._options.retry_jobs:
            return self._dead(attempt, error, "retries are switched off", trouble)
        claimed = attempt.job.claimed
        failure = Failure.of(error, tries, attempt.redis_ms).short().model_dump_json().encode()
        completion = Completion.retry(
            claimed,
            attempt.job.token,
            delay_ms=decision.delay_s * 1000,
            failure=failure,
            tries=_spent(decision.spends_try, tries, claimed.tries),
        )
        event = _failed(attempt, "retried", error, delay_s=decision.delay_s)
        return Decision(completion, event, trouble)

    def _postponed(self, attempt: Attempt, outcome: JobOutcome, delay_ms: float) -> Decision:
        """Return the decision that lets another worker, or this one, take the job later; no try is spent."""
        job = attempt.job
        completion = Completion.retry(job.claimed, job.token, delay_ms=delay_ms, tries="keep")
        return Decision(completion, _event(attempt, outcome))

    def _aborted(self, attempt: Attempt) -> Decision:
        # arq's `Job.abort` waits for an error of this very class.
        trace = attempt.trace("aborted") if self._keeps_history else None
        return Decision(self._final(attempt, asyncio.CancelledError(), trace), _event(attempt, "aborted"))

    def _dead(self, attempt: Attempt, error: BaseException, reason: str, trouble: Trouble | None) -> Decision:
        failure = Failure.of(error, attempt.tries, attempt.redis_ms)
        dead_letter = make_dead_letter(attempt, failure, reason=reason, worker_id=self._worker_id)
        result: BaseException = error
        if self._options.retry_jobs and isinstance(error, Retry | RetryJob | JobCancelled):
            # A caller that waits for the result gets arq's error; the dead letter keeps what the job raised.
            result = retries_exceeded(attempt.function.max_tries)
        event = _failed(attempt, "dead", error, reason=reason)._replace(extra=log_extra(error))
        traced = {"error": event.error_class, "reason": reason[:LONGEST_REASON]}
        trace = attempt.trace("dead", **traced) if self._keeps_history else None
        completion = self._final(attempt, result, trace, dead_letter=dead_letter.stored())
        return Decision(completion, event, trouble)

    def _final(
        self,
        attempt: Attempt,
        result: object,
        trace: Trace | None,
        *,
        success: bool = False,
        dead_letter: bytes | None = None,
    ) -> Completion:
        job, options = attempt.job, self._options
        function, data = attempt.function, None
        life_ms = function.result_life_ms
        if life_ms:
            data = result_data(attempt, result, success=success, serializer=options.serializer)
        elif attempt.call is not None and attempt.call.digest and options.serializer is not None:
            # finish.lua does not store it, but keeps the digest.
            data = options.serializer({"d": attempt.call.digest})
        if data is None:
            data, life_ms = b"", 0
        if dead_letter is None:
            return Completion.done(
                job.claimed,
                job.token,
                result=data,
                result_life_ms=life_ms,
                id_hold_ms=function.id_hold_ms,
                trace=trace,
            )
        return Completion.dead(
            job.claimed,
            job.token,
            dead_letter=dead_letter,
            result=data,
            result_life_ms=life_ms,
            id_hold_ms=function.id_hold_ms,
            trace=trace,
        )


def check_lost_leases(claimed: ClaimedJob) -> None:
    """Raise `LeaseLost` if a job has lost so many leases that it must not run again."""
    if claimed.crashes >= CRASH_LIMIT:
        # The message does not say that the process died: it may have been frozen or cut off, which looks the same.
        raise LeaseLost(f"lease lost {claimed.crashes} times, and the worker was not heard of again")
    if len(claimed.lost_by) >= LOSS_LIMIT:
        raise LeaseLost(f"lease lost {len(claimed.lost_by)} times by workers that live")


def retries_exceeded(limit: int) -> JobExecutionFailed:
    """Return arq's error for a job that has spent its tries."""
    return JobExecutionFailed(f"max {limit} retries exceeded")


def _in_batch(decision: Decision, attempt: Attempt) -> Decision:
    """Return a decision whose completion is counted in the job's batch, if it has one and its envelope was read."""
    call, completion = attempt.call, decision.completion
    if call is None or not call.batch or completion is None:
        return decision
    outcome = _BATCH_OUTCOMES.get(decision.event.outcome)
    # The counts of a failed try are discarded.
    counts = attempt.batch.counts if attempt.batch is not None and outcome == "complete" else {}
    entry = completion_entry(call.batch, outcome, counts)
    return replace(decision, completion=completion._replace(batch=entry))


def _spent(spends_try: bool, tries: int, counted: int) -> SpentTries:
    if not spends_try:
        return "keep"
    # The producer may have said that its first try was not the first.
    return tries if tries > counted else "spend"


def _event(attempt: Attempt, outcome: JobOutcome) -> TryEnded:
    job, call = attempt.job, attempt.call
    return TryEnded(
        job.name,
        call.function if call else "",
        job.claimed.queue,
        outcome,
        attempt.tries,
        attempt.pickup_s,
        # The clock may have been set back meanwhile.
        max(0, attempt.finished_ms - attempt.started_ms) / 1000,
        token=job.token,
    )


def _failed(
    attempt: Attempt, outcome: JobOutcome, error: BaseException, *, reason: str = "", delay_s: float = 0.0
) -> TryEnded:
    return _event(attempt, outcome)._replace(
        error_class=class_name(error), message=loggable_message(error), reason=reason, delay_s=delay_s
    )
