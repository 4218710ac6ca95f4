"""What is kept and told of how a try ended: the result, the dead letter, and what a log line may say."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from arq.cron import CronJob
from arq.jobs import Serializer, serialize_result
from arq.worker import Function, JobExecutionFailed, Worker

from worker.engine.envelope import Call
from worker.engine.running_job import Running
from worker.errors import InvalidPayload, RegistryError
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.scripts import Completion

_LONGEST_REPEATED_PAYLOAD = 16_384

EndingKind = Literal["complete", "failed", "retried"]


@dataclass(slots=True)
class Ending:
    """How a try ended: the completion to store (none: it is somebody else's by now), and what to count."""

    completion: Completion | None
    kind: EndingKind
    met_outage: bool = False
    unknown_function: str | None = None


def result_life_ms(host: Worker, function: Function | CronJob | None) -> int:
    """Return for how many milliseconds a result of `function` is kept; -1 is for ever, 0 not at all."""
    forever, seconds = host.keep_result_forever, host.keep_result_s
    if function is not None:
        forever = forever if function.keep_result_forever is None else function.keep_result_forever
        seconds = seconds if function.keep_result_s is None else function.keep_result_s
    return -1 if forever else int(seconds * 1000)


def result_data(
    running: Running, call: Call | None, result: object, ran_ms: tuple[int, int], *, serializer: Serializer | None
) -> bytes | None:
    """Return arq's message about a result; `ran_ms` is when the run began and when it ended, in ms since 1970.

    `call` is `None` if the envelope could not be read. Returns `None` if the serializer fails even on arq's note
    that it failed; arq has logged it then.
    """
    claimed = running.claimed
    call = call or Call("<unknown>", (), {}, 0, claimed.tries)
    # arq repeats the arguments in the result; a chunk of a file would fill Redis with what is stored already.
    repeated = len(claimed.payload or b"") <= _LONGEST_REPEATED_PAYLOAD
    return serialize_result(
        call.function,
        call.args if repeated else (),
        call.kwargs if repeated else {},
        call.tries,
        call.enqueue_ms,
        not isinstance(result, BaseException),
        result,
        *ran_ms,
        f"{running.name}:{call.function}",
        claimed.queue,
        running.name,
        serializer=serializer,
    )


def make_dead_letter(
    running: Running, call: Call | None, failure: Failure, *, reason: str, worker_id: str
) -> DeadLetter:
    """Return the dead letter of a job that `failure` ended; `call` is `None` if its envelope could not be read."""
    claimed = running.claimed
    return DeadLetter(
        job_id=running.name,
        function=call.function if call else None,
        queue=claimed.queue,
        payload=payload_text(claimed.payload or b""),
        reason=reason,
        failure=failure,
        crashes=claimed.crashes,
        worker=worker_id,
        enqueued_at=datetime.fromtimestamp(call.enqueue_ms / 1000, UTC) if call else None,
    )


def error_fields(error: BaseException) -> dict[str, str]:
    """Return what a log line may tell of an error.

    Messages of foreign errors can repeat a payload, and those of refused payloads name its unknown fields.
    """
    fields = {"error": type(error).__name__}
    if isinstance(error, RegistryError | TimeoutError | JobExecutionFailed) and not isinstance(
        error, InvalidPayload
    ):
        fields["message"] = str(error)
    return fields
