"""The engine's log lines: one listener for each kind of event.

Each line has a stable `action` key; docs/operations.md lists them with what to do. No line holds a payload.
"""

from collections.abc import Callable
from typing import Any

import structlog

from worker.engine import events
from worker.engine.events import Events, JobFinished

_log = structlog.stdlib.get_logger("worker.engine")

_LONGEST_NAME = 200


def log_events(to: Events) -> None:
    """Subscribe the log to everything that it has a line for."""
    for kind, listener in _LISTENERS.items():
        to.subscribe(kind, listener)


def _job_finished(event: JobFinished) -> None:
    if event.outcome != "complete":
        _JOB_LINES[event.outcome](event)


def _retried(event: JobFinished) -> None:
    _log.info(
        "job failed and will be retried",
        action="job_retried",
        job_id=event.job_id,
        delay_s=round(event.delay_s, 2),
        tries=event.tries,
        **_error(event),
    )


def _dead(event: JobFinished) -> None:
    _log.error(
        "job is a dead letter now",
        action="job_dead_lettered",
        job_id=event.job_id,
        reason=event.reason,
        tries=event.tries,
        **_error(event),
    )


def _aborted(event: JobFinished) -> None:
    _log.info("job aborted", action="job_aborted", job_id=event.job_id)


def _handed_back(event: JobFinished) -> None:
    _log.info("job handed back, no try spent", action="job_handed_back", job_id=event.job_id)


def _postponed(event: JobFinished) -> None:
    _log.info(
        "job may have killed its worker; handed back to run alone", action="job_postponed", job_id=event.job_id
    )


def _function_unknown(event: JobFinished) -> None:
    _log.warning(
        "this worker has no function of this name; job handed back",
        action="function_unknown",
        job_id=event.job_id,
        # Any program that can write to Redis chooses the name.
        function=event.function[:_LONGEST_NAME],
    )


def _lease_lost(event: JobFinished) -> None:
    _log.warning(
        "lease lost; the job belongs to another worker or runs again", action="lease_lost", job_id=event.job_id
    )


_JOB_LINES: dict[str, Callable[[JobFinished], None]] = {
    "retried": _retried,
    "dead": _dead,
    "aborted": _aborted,
    "handed_back": _handed_back,
    "postponed": _postponed,
    "function_unknown": _function_unknown,
    "lease_lost": _lease_lost,
}


def _hook_failed(event: events.HookFailed) -> None:
    _log.error(
        "a hook failed",
        action="hook_failed",
        hook=event.hook,
        job_id=event.job_id,
        stack=event.stack,
        **_error(event),
    )


def _claim_recovered(event: events.ClaimRecovered) -> None:
    _log.info("handed back the jobs of a claim whose answer was lost", action="claim_recovered", jobs=event.jobs)


def _completion_refused(event: events.CompletionRefused) -> None:
    _log.warning(
        "late completion refused: the job has another owner", action="completion_refused", job_id=event.job_id
    )


def _completion_dropped(event: events.CompletionDropped) -> None:
    _log.error(
        "completion dropped, the job will run again: a key of another type is in its way",
        action="completion_dropped",
        job_id=event.job_id,
        error=event.error_class,
        code=event.code,
    )


def _breaker_changed(event: events.BreakerChanged) -> None:
    if event.is_open:
        _log.error(
            "MongoDB is unavailable; not taking new jobs",
            action="circuit_breaker_opened",
        )
    else:
        _log.info("MongoDB is available again", action="circuit_breaker_closed")


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


def _redis_info_failed(event: events.RedisInfoFailed) -> None:
    _log.warning("INFO failed; start-up continues", action="redis_info_failed", error=event.error_class)


def _renewal_failed(event: events.RenewalFailed) -> None:
    # An outage is logged once, by the event loop's own calls.
    _log.debug("leases not renewed", action="renewal_failed", error=event.error_class)


def _event_loop_blocked(event: events.EventLoopBlocked) -> None:
    _log.error(
        "the event loop is blocked, probably by a job that computes or makes a synchronous call",
        action="event_loop_blocked",
        seconds=round(event.seconds, 1),
        stack=event.stack,
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


def _exit_refused(event: events.ExitRefused) -> None:
    _log.error("a task of a job tried to end the worker", action="exit_refused", error=event.error_class)


def _sign_off_failed(event: events.SignOffFailed) -> None:
    _log.warning("heartbeat not removed", action="sign_off_failed", error=event.error_class)


_LISTENERS: dict[type, Callable[[Any], None]] = {
    JobFinished: _job_finished,
    events.HookFailed: _hook_failed,
    events.ClaimRecovered: _claim_recovered,
    events.CompletionRefused: _completion_refused,
    events.CompletionDropped: _completion_dropped,
    events.BreakerChanged: _breaker_changed,
    events.ReadinessChanged: _readiness_changed,
    events.LivenessNotShown: _liveness_not_shown,
    events.RedisLost: _redis_lost,
    events.RedisBack: _redis_back,
    events.RedisInfoFailed: _redis_info_failed,
    events.RenewalFailed: _renewal_failed,
    events.EventLoopBlocked: _event_loop_blocked,
    events.CronCaughtUp: _cron_caught_up,
    events.ShutdownStarted: _shutdown_started,
    events.StartCancelled: _start_cancelled,
    events.GracePeriodExpired: _grace_period_expired,
    events.JobsLeftBehind: _jobs_left_behind,
    events.ExitRefused: _exit_refused,
    events.SignOffFailed: _sign_off_failed,
}


def _error(event: JobFinished | events.HookFailed) -> dict[str, str]:
    return {"error": event.error_class} | ({"message": event.message} if event.message else {})
