"""The engine's log lines, one for each kind of event.

Each line has a stable `action` key; docs/operations.md lists them with what to do. No line holds a payload.

Both loggers are `arq.worker` or below it, because a `--custom-log-dict` disables each logger unless it names that
logger or a parent of it, and users of arq name `arq` or `arq.worker`. Lines about one job go to the logger of arq's
own lines about jobs, so that a filter for those covers these. Sentry, for example, filters that logger out, because
it reports the errors of jobs itself.
"""

import time
from collections.abc import Callable
from dataclasses import fields
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
    for kind, line in _PLAIN_LINES.items():
        to.subscribe(kind, _plain(*line))


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


# Events whose fields are the facts of their line, in this order: the logger and level, the action, and the text.
_PLAIN_LINES: dict[type, tuple[Callable[..., None], str, str]] = {
    events.ClaimRecovered: (_log.info, "claim_recovered", "handed back the jobs of a claim whose answer was lost"),
    events.JobTooLargeForLink: (
        _jobs.error,
        "job_too_large_for_link",
        "the payload of this job does not arrive within REDIS_TIMEOUT; trying again later",
    ),
    events.CompletionRefused: (
        _jobs.warning,
        "completion_refused",
        "late completion refused: the job has another owner",
    ),
    events.CompletionDropped: (
        _jobs.error,
        "completion_dropped",
        "completion dropped, the job will run again: a key of another type is in its way",
    ),
    events.MemoryLow: (
        _log.warning,
        "redis_memory_low",
        "Redis's memory is short; at its limit it refuses new jobs: add memory, or retry or discard dead letters",
    ),
    events.EvictionPolicySeen: (
        _log.error,
        "redis_eviction_policy",
        "Redis deletes keys when its memory is short, jobs among them; run: CONFIG SET maxmemory-policy noeviction",
    ),
    events.DeadLettersMoved: (
        _log.warning,
        "dead_letters_moved",
        "moved the oldest dead letters from Redis to a file",
    ),
    events.DeadLettersNotMoved: (
        _log.error,
        "dead_letters_not_moved",
        "dead letters beyond the bounds stay in Redis: the file cannot be written",
    ),
    events.HistoryNotMoved: (
        _log.error,
        "history_not_moved",
        "the history of ended jobs is not stored; Redis keeps it meanwhile",
    ),
    events.EndsLeftOut: (
        _log.error,
        "history_left_out",
        "the history lacks ended jobs: it could not be moved from Redis for too long",
    ),
    events.OutboxHeldUp: (_log.warning, "outbox_held_up", "jobs wait in the outbox in MongoDB"),
    events.OutboxJobSkipped: (
        _log.error,
        "outbox_job_skipped",
        "a job in the outbox cannot be enqueued; it stays there, and later jobs of its hospital wait for it",
    ),
    events.OutboxDocumentsUnreadable: (
        _log.error,
        "outbox_documents_unreadable",
        "documents in the outbox are not jobs: another program has written or changed them",
    ),
    events.RedisLost: (
        _log.error,
        "redis_lost",
        "Redis is unavailable or refuses writes; keeping running jobs, not taking new ones",
    ),
    events.RedisBack: (_log.info, "redis_back", "Redis answers again"),
    events.RedisInfoFailed: (_log.warning, "redis_info_failed", "INFO failed; start-up continues"),
    events.JobLeftThread: (_log.error, "job_left_thread", "job has ended, and a thread that it started runs on"),
    events.ThreadsBlocked: (
        _log.error,
        "threads_blocked",
        "jobs that have ended occupy too many threads; stopping, so that the process is replaced",
    ),
    events.CronCaughtUp: (_log.info, "cron_caught_up", "cron run was missed; running it now"),
    events.ShutdownStarted: (_log.info, "shutdown", "stopping"),
    events.GracePeriodExpired: (
        _log.info,
        "grace_period_expired",
        "grace period expired; handing back running jobs",
    ),
    events.JobsLeftBehind: (_log.error, "jobs_left_behind", "stopped with jobs still running"),
    events.ExitForced: (_log.warning, "exit_forced", "ending the process, which did not end by itself in time"),
    events.ExitRefused: (_log.error, "exit_refused", "a job tried to end the worker"),
    events.SignOffFailed: (_log.warning, "sign_off_failed", "heartbeat not removed"),
}
# A fact is named as its field is, except for:
_SHOWN_AS = {"error_class": "error"}


def _plain(log: Callable[..., None], action: str, text: str) -> Callable[[Any], None]:
    def line(event: Any) -> None:
        facts = {_SHOWN_AS.get(field.name, field.name): getattr(event, field.name) for field in fields(event)}
        log(text, action=action, **facts)

    return line


def _hook_failed(event: events.HookFailed) -> None:
    # Not to the logger of jobs, which Sentry filters out: Sentry does not report errors of hooks itself.
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


def _starting(event: events.Starting) -> None:
    # The text is arq's, which its users look for.
    names = ", ".join(event.functions)
    _jobs.info(f"Starting worker for {len(event.functions)} functions: {names}", action="starting")


def _redis_described(event: events.RedisDescribed) -> None:
    facts = dict(fact.split("=", 1) for fact in event.facts.split() if "=" in fact)
    _jobs.info("connected to Redis", action="redis_connected", **facts)


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


def _start_cancelled(_: events.StartCancelled) -> None:
    _log.info("stopped before it served", action="cancelled")


_LISTENERS: dict[type, Callable[[Any], None]] = {
    events.HookFailed: _hook_failed,
    events.RunJobPatchFailed: _run_job_patch_failed,
    events.BreakerChanged: _breaker_changed,
    events.ReadinessChanged: _readiness_changed,
    events.LivenessNotShown: _liveness_not_shown,
    events.Starting: _starting,
    events.RedisDescribed: _redis_described,
    events.RenewalFailed: _renewal_failed,
    events.EventLoopBlocked: _event_loop_blocked,
    events.RenewalsHeldUp: _renewals_held_up,
    events.EventLoopStuck: _event_loop_stuck,
    events.JobIgnoresCancellation: _job_ignores_cancellation,
    events.SlotsBlocked: _slots_blocked,
    events.StartCancelled: _start_cancelled,
}


def _job(
    event: TryEnded | events.HookFailed | events.EventLoopStuck | events.JobIgnoresCancellation,
) -> dict[str, str]:
    # The name may be any text: whoever writes to Redis chooses it. It is empty if it is not known.
    return {"job_id": event.job_id} | ({"function": event.function[:_LONGEST_NAME]} if event.function else {})


def _error(event: TryEnded | events.HookFailed) -> dict[str, str]:
    return {"error": event.error_class} | ({"message": event.message} if event.message else {})
