"""The engine's log lines: one listener for each kind of event.

Each line has a stable `action` key; docs/operations.md lists them with what to do. No line holds a payload.

Both loggers are arq's `arq.worker` or below it: a `--custom-log-dict` switches off what it does not name, unless
what is above is named, and users of arq name `arq` or `arq.worker`. What concerns one job goes to the logger of
arq's own lines about jobs, so that who filters those has these too; Sentry, for one, leaves them out, because it
reports the errors itself.
"""

import time
from collections.abc import Callable
from typing import Any

from worker.engine import events
from worker.engine.events import Events, TryEnded
from worker.engine.unknown_function_log import UnknownFunctionLog
from worker.log_lines import LineLogger

_log = LineLogger("arq.worker.engine")
_jobs = LineLogger("arq.worker")

_LONGEST_NAME = 200


def log_events(to: Events, clock: Callable[[], float] = time.monotonic) -> None:
    """Subscribe the log to everything that it has a line for; `clock` returns seconds."""
    unknown = UnknownFunctionLog(clock)

    # One listener for both, because it is called for each job.
    def try_ended(event: TryEnded) -> None:
        if event.outcome in _WITHOUT_LINE:
            return
        if event.outcome == "function_unknown":
            unknown.try_ended(event)
        else:
            _JOB_LINES[event.outcome](event)

    to.subscribe(TryEnded, try_ended)
    for kind, listener in _LISTENERS.items():
        to.subscribe(kind, listener)


def _retried(event: TryEnded) -> None:
    _jobs.info(
        "job failed and will be retried",
        action="job_retried",
        **_job(event),
        delay_s=round(event.delay_s, 2),
        tries=event.tries,
        **_error(event),
    )


def _dead(event: TryEnded) -> None:
    _jobs.error(
        "job is a dead letter now",
        extra=event.extra,
        action="job_dead_lettered",
        **_job(event),
        reason=event.reason,
        tries=event.tries,
        **_error(event),
    )


def _aborted(event: TryEnded) -> None:
    _jobs.info("job aborted", action="job_aborted", **_job(event))


def _handed_back(event: TryEnded) -> None:
    _jobs.info("job handed back, no try spent", action="job_handed_back", **_job(event))


def _postponed(event: TryEnded) -> None:
    _jobs.info("job may have killed its worker; handed back to run alone", action="job_postponed", **_job(event))


def _lease_lost(event: TryEnded) -> None:
    _jobs.warning("lease lost; the job belongs to another worker or runs again", action="lease_lost", **_job(event))


# What ends well, and what waits for a circuit breaker, which has its own lines.
_WITHOUT_LINE = frozenset({"complete", "put_aside"})
_JOB_LINES: dict[str, Callable[[TryEnded], None]] = {
    "retried": _retried,
    "dead": _dead,
    "aborted": _aborted,
    "handed_back": _handed_back,
    "postponed": _postponed,
    "lease_lost": _lease_lost,
}


def _hook_failed(event: events.HookFailed) -> None:
    # Not beside the job's lines: it is no error of the job, which Sentry would report.
    _log.error(
        "a hook failed",
        action="hook_failed",
        hook=event.hook,
        **_job(event),
        stack=event.stack,
        **_error(event),
    )


def _run_job_patch_failed(event: events.RunJobPatchFailed) -> None:
    if event.error_class:
        _log.warning(
            "a patch of arq's run_job failed on a job; the job ran without it",
            action="run_job_patch_failed",
            patch=event.patch,
            error=event.error_class,
        )
    else:
        _log.warning(
            "a patch of arq's run_job does not show what it calls, so jobs run without it",
            action="run_job_patch_failed",
            patch=event.patch,
        )


def _claim_recovered(event: events.ClaimRecovered) -> None:
    _log.info("handed back the jobs of a claim whose answer was lost", action="claim_recovered", jobs=event.jobs)


def _job_too_large_for_link(event: events.JobTooLargeForLink) -> None:
    _jobs.error(
        "the payload of this job does not arrive within REDIS_TIMEOUT; trying again later",
        action="job_too_large_for_link",
        job_id=event.job_id,
        delay_s=event.delay_s,
    )


def _completion_refused(event: events.CompletionRefused) -> None:
    _jobs.warning(
        "late completion refused: the job has another owner", action="completion_refused", job_id=event.job_id
    )


def _completion_dropped(event: events.CompletionDropped) -> None:
    _jobs.error(
        "completion dropped, the job will run again: a key of another type is in its way",
        action="completion_dropped",
        job_id=event.job_id,
        error=event.error_class,
        code=event.code,
    )


def _memory_low(event: events.MemoryLow) -> None:
    _log.warning(
        "Redis's memory is short; at its limit it refuses new jobs: add memory, or retry or discard dead letters",
        action="redis_memory_low",
        used=event.used,
        limit=event.limit,
    )


def _eviction_policy_seen(event: events.EvictionPolicySeen) -> None:
    _log.error(
        "Redis deletes keys when its memory is short, jobs among them; run: CONFIG SET maxmemory-policy noeviction",
        action="redis_eviction_policy",
        policy=event.policy,
    )


def _dead_letters_moved(event: events.DeadLettersMoved) -> None:
    _log.warning(
        "moved the oldest dead letters from Redis to a file",
        action="dead_letters_moved",
        count=event.count,
        file=event.file,
    )


def _dead_letters_not_moved(event: events.DeadLettersNotMoved) -> None:
    _log.error(
        "dead letters beyond the bounds stay in Redis: the file cannot be written",
        action="dead_letters_not_moved",
        file=event.file,
        reason=event.reason,
    )


def _history_not_moved(event: events.HistoryNotMoved) -> None:
    _log.error(
        "the history of ended jobs is not stored; Redis keeps it meanwhile",
        action="history_not_moved",
        reason=event.reason,
    )


def _outbox_held_up(event: events.OutboxHeldUp) -> None:
    _log.warning("jobs wait in the outbox in MongoDB", action="outbox_held_up", reason=event.reason)


def _outbox_job_skipped(event: events.OutboxJobSkipped) -> None:
    _log.error(
        "a job in the outbox cannot be enqueued; it stays there, and later jobs of its hospital wait for it",
        action="outbox_job_skipped",
        job_id=event.job_id,
        reason=event.reason,
    )


def _outbox_documents_unreadable(event: events.OutboxDocumentsUnreadable) -> None:
    _log.error(
        "documents in the outbox are no jobs: another program has written or changed them",
        action="outbox_documents_unreadable",
        count=event.count,
    )


def _ends_left_out(event: events.EndsLeftOut) -> None:
    _log.error(
        "the history lacks ended jobs: it could not be moved from Redis for too long",
        action="history_left_out",
        count=event.count,
    )


def _breaker_changed(event: events.BreakerChanged) -> None:
    facts = {"reason": event.reason} | ({"function": event.function} if event.function else {})
    if not event.is_open:
        _log.info("jobs succeed again", action="circuit_breaker_closed", **facts)
    elif event.function:
        _log.error("jobs of one function fail; putting them aside", action="circuit_breaker_opened", **facts)
    else:
        _log.error(f"{event.reason}; not taking new jobs", action="circuit_breaker_opened", **facts)


def _readiness_changed(event: events.ReadinessChanged) -> None:
    if event.why_not:
        _log.error("this worker is not ready", action="not_ready", reason=event.why_not)
    else:
        _log.info("this worker is ready again", action="ready_again")


def _liveness_not_shown(event: events.LivenessNotShown) -> None:
    _log.warning(
        "cannot write the file that `hospital-worker check --live` reads; the worker goes on, the check fails",
        action="liveness_not_shown",
        error=event.message,
    )


def _redis_lost(event: events.RedisLost) -> None:
    _log.error(
        "Redis is unavailable or refuses writes; keeping running jobs, not taking new ones",
        action="redis_lost",
        error=event.error_class,
        code=event.code,
    )


def _redis_back(event: events.RedisBack) -> None:
    _log.info("Redis answers again", action="redis_back", failed_calls=event.failed_calls)


def _starting(event: events.Starting) -> None:
    # The text is arq's, which its users look for.
    names = ", ".join(event.functions)
    _jobs.info(f"Starting worker for {len(event.functions)} functions: {names}", action="starting")


def _redis_described(event: events.RedisDescribed) -> None:
    facts = dict(fact.split("=", 1) for fact in event.facts.split() if "=" in fact)
    _jobs.info("connected to Redis", action="redis_connected", **facts)


def _redis_info_failed(event: events.RedisInfoFailed) -> None:
    _log.warning("INFO failed; start-up continues", action="redis_info_failed", error=event.error_class)


def _renewal_failed(event: events.RenewalFailed) -> None:
    # An outage is logged once, by the event loop's own calls.
    log = _log.warning if event.refused else _log.debug
    log("leases not renewed", action="renewal_failed", error=event.error_class)


def _event_loop_blocked(event: events.EventLoopBlocked) -> None:
    _log.error(
        "the event loop is blocked, probably by a job that computes or makes a synchronous call",
        action="event_loop_blocked",
        seconds=round(event.seconds, 1),
        stack=event.stack,
    )


def _renewals_held_up(event: events.RenewalsHeldUp) -> None:
    _log.warning(
        "leases could not be renewed: a call held the interpreter's lock, or the process was frozen",
        action="renewals_held_up",
        seconds=round(event.seconds, 1),
    )


def _event_loop_stuck(event: events.EventLoopStuck) -> None:
    _log.error(
        "the event loop does not come back; handing back its jobs",
        action="event_loop_stuck",
        seconds=round(event.seconds, 1),
        **_job(event),
        stack=event.stack,
    )


def _job_ignores_cancellation(event: events.JobIgnoresCancellation) -> None:
    _log.error(
        "job runs on although it was cancelled, and occupies its slot",
        action="job_ignores_cancellation",
        **_job(event),
        reason=event.reason,
    )


def _slots_blocked(event: events.SlotsBlocked) -> None:
    _log.error(
        "jobs that ignore cancellation occupy too many slots; stopping, so that the process is replaced",
        action="slots_blocked",
        jobs=event.jobs,
        slots=event.slots,
        queue=event.queue or "all",
    )


def _job_left_thread(event: events.JobLeftThread) -> None:
    _log.error(
        "job has ended, and a thread that it started runs on",
        action="job_left_thread",
        job_id=event.job_id,
    )


def _threads_blocked(event: events.ThreadsBlocked) -> None:
    _log.error(
        "jobs that have ended occupy too many threads; stopping, so that the process is replaced",
        action="threads_blocked",
        left=event.left,
        threads=event.threads,
    )


def _cron_caught_up(event: events.CronCaughtUp) -> None:
    _log.info("cron run was missed; running it now", action="cron_caught_up", job=event.job)


def _shutdown_started(event: events.ShutdownStarted) -> None:
    _log.info("stopping", action="shutdown", signal=event.signal, running=event.running, grace_s=event.grace_s)


def _start_cancelled(_: events.StartCancelled) -> None:
    _log.info("stopped before it served", action="cancelled")


def _grace_period_expired(event: events.GracePeriodExpired) -> None:
    _log.info(
        "grace period expired; handing back running jobs", action="grace_period_expired", running=event.running
    )


def _jobs_left_behind(event: events.JobsLeftBehind) -> None:
    _log.error("stopped with jobs still running", action="jobs_left_behind", jobs=event.jobs)


def _exit_forced(event: events.ExitForced) -> None:
    _log.warning(
        "ending the process, which did not end by itself in time", action="exit_forced", threads=event.threads
    )


def _exit_refused(event: events.ExitRefused) -> None:
    _log.error("a job tried to end the worker", action="exit_refused", error=event.error_class)


def _sign_off_failed(event: events.SignOffFailed) -> None:
    _log.warning("heartbeat not removed", action="sign_off_failed", error=event.error_class)


_LISTENERS: dict[type, Callable[[Any], None]] = {
    events.HookFailed: _hook_failed,
    events.RunJobPatchFailed: _run_job_patch_failed,
    events.ClaimRecovered: _claim_recovered,
    events.JobTooLargeForLink: _job_too_large_for_link,
    events.CompletionRefused: _completion_refused,
    events.CompletionDropped: _completion_dropped,
    events.MemoryLow: _memory_low,
    events.EvictionPolicySeen: _eviction_policy_seen,
    events.DeadLettersMoved: _dead_letters_moved,
    events.DeadLettersNotMoved: _dead_letters_not_moved,
    events.HistoryNotMoved: _history_not_moved,
    events.EndsLeftOut: _ends_left_out,
    events.OutboxHeldUp: _outbox_held_up,
    events.OutboxJobSkipped: _outbox_job_skipped,
    events.OutboxDocumentsUnreadable: _outbox_documents_unreadable,
    events.BreakerChanged: _breaker_changed,
    events.ReadinessChanged: _readiness_changed,
    events.LivenessNotShown: _liveness_not_shown,
    events.RedisLost: _redis_lost,
    events.RedisBack: _redis_back,
    events.Starting: _starting,
    events.RedisDescribed: _redis_described,
    events.RedisInfoFailed: _redis_info_failed,
    events.RenewalFailed: _renewal_failed,
    events.EventLoopBlocked: _event_loop_blocked,
    events.RenewalsHeldUp: _renewals_held_up,
    events.EventLoopStuck: _event_loop_stuck,
    events.JobIgnoresCancellation: _job_ignores_cancellation,
    events.SlotsBlocked: _slots_blocked,
    events.JobLeftThread: _job_left_thread,
    events.ThreadsBlocked: _threads_blocked,
    events.CronCaughtUp: _cron_caught_up,
    events.ShutdownStarted: _shutdown_started,
    events.StartCancelled: _start_cancelled,
    events.GracePeriodExpired: _grace_period_expired,
    events.JobsLeftBehind: _jobs_left_behind,
    events.ExitForced: _exit_forced,
    events.ExitRefused: _exit_refused,
    events.SignOffFailed: _sign_off_failed,
}


def _job(
    event: TryEnded | events.HookFailed | events.EventLoopStuck | events.JobIgnoresCancellation,
) -> dict[str, str]:
    # The name may be any text: whoever writes to Redis chooses it. It is empty if it is not known.
    return {"job_id": event.job_id} | ({"function": event.function[:_LONGEST_NAME]} if event.function else {})


def _error(event: TryEnded | events.HookFailed) -> dict[str, str]:
    return {"error": event.error_class} | ({"message": event.message} if event.message else {})
