"""arq's own log lines about jobs, word for word, for users who set `log_results`.

They contain arguments, results and errors, and at thousands of jobs a second they would be most of the work. So
they are written only if the user's settings class asks for them. What the engine itself has to say is in
`event_log`.
"""

from collections.abc import Callable

from arq.jobs import SerializationError
from arq.utils import args_to_string, truncate
from arq.worker import JobExecutionFailed, Retry, RetryJob, logger

from worker.codec import can_be_described
from worker.engine.events import CallStarted, Events, TryDecided
from worker.errors import InvalidEnvelope, class_name

# arq mentions that a job was late from here on.
_LATE_S = 1.2
_CANCELLED = frozenset({"JobCancelled", "RetryJob"})


def log_like_arq(to: Events) -> None:
    """Subscribe arq's lines: one for each call of a job's function, and one for how each try ended."""
    to.subscribe(CallStarted, _call_started)
    to.subscribe(TryDecided, _try_decided)


def _call_started(event: CallStarted) -> None:
    more = f" try={event.tries}" if event.tries > 1 else ""
    if event.pickup_s > _LATE_S:
        more += f" delayed={event.pickup_s:0.2f}s"
    arguments = _text(lambda: args_to_string(event.args, event.kwargs))
    logger.info("%6.2fs → %s(%s)%s", event.since_enqueued_s, event.label, arguments, more)


def _try_decided(event: TryDecided) -> None:
    if event.error is not None and not can_be_described(event.error):
        # `logging` would format it for hours, or raise. The class and what is known of it are in `finished`.
        event = event._replace(error=None)
    match event.finished.outcome:
        case "complete":
            result = "" if event.result is None else truncate(_text(lambda: repr(event.result)))
            logger.info("%6.2fs ← %s ● %s", event.finished.run_s, event.label, result)
        case "dead" | "retried" | "handed_back" | "aborted" if not event.was_called:
            _not_called(event)
        case "dead":
            _dead(event)
        case "aborted":
            logger.info("%6.2fs ⊘ %s aborted", event.finished.run_s, event.label)
        case "retried" if event.finished.error_class not in _CANCELLED:
            delay_s = event.finished.delay_s
            logger.info("%6.2fs ↻ %s retrying job in %0.2fs", event.finished.run_s, event.label, delay_s)
        case "retried" | "handed_back":
            logger.info("%6.2fs ↻ %s cancelled, will be run again", event.finished.run_s, event.label)


def _dead(event: TryDecided) -> None:
    job, error = event.finished, event.error
    if isinstance(error, Retry | RetryJob) and job.tries >= event.max_tries:
        _retries_exceeded(event)
        return
    message = job.message or _text(lambda: str(error))
    logger.error(
        *("%6.2fs ! %s failed, %s: %s", job.run_s, event.label, job.error_class, message),
        exc_info=error,
        extra={"extra": job.extra},
    )


def _not_called(event: TryDecided) -> None:
    """Log a job that was refused before its function was called."""
    job, error = event.finished, event.error
    if job.outcome == "aborted":
        logger.info("%6.2fs ⊘ %s aborted before start", event.since_enqueued_s, event.label)
    elif job.outcome == "dead" and isinstance(error, SerializationError | InvalidEnvelope):
        logger.error("deserializing job %s failed", job.job_id, exc_info=error)
    elif job.outcome == "dead" and not job.function:
        logger.warning("job %s expired", job.job_id)
    elif job.outcome == "dead" and isinstance(error, JobExecutionFailed) and job.tries > event.max_tries:
        _retries_exceeded(event)
    elif job.outcome == "dead" and isinstance(error, JobExecutionFailed):
        logger.warning("job %s, %s", job.job_id, error)
    elif job.outcome == "dead":
        _dead(event)


def _retries_exceeded(event: TryDecided) -> None:
    logger.warning("%6.2fs ! %s max retries %d exceeded", event.since_enqueued_s, event.label, event.max_tries)


def _text(describe: Callable[[], str]) -> str:
    try:
        return describe()
    except BaseException as error:  # noqa: BLE001 (the text of a user's object may raise anything; the job must not notice)
        return f"<{class_name(error)} while it was described>"
