"""Reads the envelope of a claimed job: what to call, with what, and as which try."""

from dataclasses import dataclass
from typing import Any

from arq.jobs import DeserializationError, Deserializer, deserialize_job_raw
from arq.worker import JobExecutionFailed

from worker.codec import check_job_id
from worker.contract.trace_context import TraceContext, read_trace_context
from worker.errors import InvalidEnvelope, RegistryError
from worker.queue.batches import is_batch_id
from worker.queue.claim import ClaimedJob

# Year 2286; a later instant overflows the calendar.
_MAX_INSTANT_MS = 10**13


@dataclass(slots=True)
class Call:
    """A decoded envelope: what to call, when the job was enqueued, and the id of its batch, empty if none.

    `trace_context` is the span that enqueued the job, and `digest` that of the call (see `worker.queue.digests`),
    if the envelope has them.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    enqueue_ms: int
    tries: int
    batch: str = ""
    trace_context: TraceContext | None = None
    digest: str = ""


def read_call(claimed: ClaimedJob, deserializer: Deserializer | None) -> Call:
    """Return what a claimed job calls.

    Raises `InvalidEnvelope` if the bytes are not a job or belong to another one, and arq's `JobExecutionFailed` if
    the payload is gone. If a user's deserializer fails, raises arq's `DeserializationError` with the cause; an
    error of the operating system or of this service passes as it is, because it may be over when the job is
    retried.
    """
    try:
        job_id = claimed.job_id.decode()
    except UnicodeDecodeError:
        raise InvalidEnvelope("the job id is not UTF-8") from None
    if claimed.problem == "missing":
        raise JobExecutionFailed("job expired")
    if claimed.problem:
        raise InvalidEnvelope("the job's key does not hold a string")
    function, args, kwargs, first_try, enqueue_ms, batch, trace_context, digest = _fields(
        claimed.payload, job_id, deserializer
    )
    if not _well_formed(function, args, kwargs, first_try, enqueue_ms):
        raise InvalidEnvelope("fields of the envelope have wrong types")
    if not 0 <= enqueue_ms <= _MAX_INSTANT_MS:
        raise InvalidEnvelope("the time of enqueueing is not a time in milliseconds")
    if batch is None:
        batch = ""
    elif not isinstance(batch, str) or not is_batch_id(batch):
        raise InvalidEnvelope("field 'b' is not the id of a batch")
    tries = max(1, claimed.tries, first_try or 0)
    # Only compared, and only if it is one: the job runs all the same.
    digest = digest if isinstance(digest, str) else ""
    return Call(function, tuple(args), kwargs, enqueue_ms, tries, batch, trace_context, digest)


def _fields(payload: bytes, job_id: str, deserializer: Deserializer | None) -> tuple[Any, ...]:
    if deserializer is None:
        # A user who asked for arq's own serializer; its messages contain no id.
        return (*deserialize_job_raw(payload), None, None, "")
    try:
        message = deserializer(payload)
        check_job_id(message, job_id)
        # Nearly every job has none, and is spared the call.
        trace_context = read_trace_context(message) if "traceparent" in message else None
        call = message["f"], message["a"], message["k"], message["t"], message["et"]
        return (*call, message.get("b"), trace_context, message.get("d", ""))
    except (RegistryError, OSError):
        raise
    except Exception as error:
        # arq's text, and the error that the callers of arq know: `run_check` raises it within its `FailedJobs`.
        raise DeserializationError("unable to deserialize job") from error


def _well_formed(function: object, args: object, kwargs: object, first_try: object, enqueue_ms: object) -> bool:
    # A user's own deserializer may let anything through.
    return (
        isinstance(function, str)
        and isinstance(args, (list, tuple))
        and isinstance(kwargs, dict)
        and (first_try is None or isinstance(first_try, int))
        and isinstance(enqueue_ms, int)
    )
