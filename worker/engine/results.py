"""What is kept of how a try ended: arq's result message, the dead letter, and what a log line may show."""

import functools
from datetime import UTC, datetime
from typing import Any

from arq.jobs import Serializer, serialize_result
from arq.worker import JobExecutionFailed

from worker.engine.attempt import Attempt
from worker.engine.envelope import Call
from worker.errors import InvalidPayload, RegistryError
from worker.queue.claim import HEARD_OF
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest

_LARGEST_REPEATED_PAYLOAD = 16_384
# The dead letter has the payload already, and a backlog of refused jobs must not fill Redis.
_LARGEST_REPEATED_BESIDE_DEAD_LETTER = 512
_LONGEST_MESSAGE = 2_000


def result_data(attempt: Attempt, result: object, *, success: bool, serializer: Serializer | None) -> bytes | None:
    """Return arq's message about a try: what the job returned (`success`), or the error that ended it.

    A job may return an exception, which is a success as with arq.

    Returns `None` if the serializer fails even on arq's note that it failed; arq has logged it then.
    """
    job, claimed = attempt.job, attempt.job.claimed
    call = attempt.call or Call("<unknown>", (), {}, 0, claimed.tries)
    # arq repeats the arguments in the result. A chunk of a file would fill Redis with what is stored already.
    largest = _LARGEST_REPEATED_PAYLOAD if success else _LARGEST_REPEATED_BESIDE_DEAD_LETTER
    repeated = len(claimed.payload or b"") <= largest
    if call.digest and serializer is not None:
        serializer = functools.partial(_with_digest, serializer, call.digest)
    return serialize_result(
        call.function,
        call.args if repeated else (),
        call.kwargs if repeated else {},
        call.tries,
        call.enqueue_ms,
        success,
        result,
        attempt.started_ms,
        attempt.finished_ms,
        f"{job.name}:{call.function}",
        claimed.queue,
        job.name,
        serializer=serializer,
    )


def _with_digest(serializer: Serializer, digest: str, message: dict[str, Any]) -> bytes:
    # The scripts find it only as the first field.
    return serializer({"d": digest, **message})


def make_dead_letter(attempt: Attempt, failure: Failure, *, reason: str, worker_id: str) -> DeadLetter:
    """Return the dead letter of a job that `failure` ended; the payload moves to it in Redis."""
    call, claimed = attempt.call, attempt.job.claimed
    payload = claimed.payload or b""
    return DeadLetter(
        job_id=attempt.job.name,
        function=call.function if call else None,
        queue=claimed.queue,
        payload_bytes=len(payload),
        payload_digest=payload_digest(payload),
        reason=reason,
        failure=failure,
        crashes=claimed.crashes,
        worker=worker_id,
        lost_by=tuple(owner for owner in claimed.lost_by if owner != HEARD_OF),
        enqueued_at=datetime.fromtimestamp(call.enqueue_ms / 1000, UTC) if call else None,
    )


def loggable_message(error: BaseException) -> str:
    """Return the message of an error if a log line may show it; empty otherwise.

    Messages of other libraries' errors can repeat a payload, and those of refused payloads name its unknown fields.
    """
    if isinstance(error, RegistryError | TimeoutError | JobExecutionFailed) and not isinstance(
        error, InvalidPayload
    ):
        return str(error)[:_LONGEST_MESSAGE]
    return ""


def log_extra(error: BaseException) -> object:
    """Return the `extra` of an error, which arq's users filter their logs by: a value, or a function that makes it.

    Returns `None` if the error has none, or if it cannot be read.
    """
    try:
        extra = getattr(error, "extra", None)
        return extra() if callable(extra) else extra
    except BaseException:  # noqa: BLE001 (whatever a user's error raises here must not change what becomes of its job)
        return None
