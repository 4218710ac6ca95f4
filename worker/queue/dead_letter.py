"""Dead letters, and the entries of a job's history, as JSON in Redis."""

import base64
import binascii
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from worker.codec import exception_form
from worker.contract import DEFAULT_QUEUE

_LONGEST_KEPT = 256 * 1024 * 1024


class Failure(BaseModel):
    """How one try ended: the error's class, message and traceback, and when, in ms."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    traceback: str = ""
    tries: int
    at_ms: int

    @classmethod
    def of(cls, error: BaseException, tries: int, at_ms: int) -> "Failure":
        """Return the record of `error`, which ended try number `tries`."""
        return cls(**exception_form(error), tries=tries, at_ms=at_ms)

    def short(self) -> "Failure":
        """Return the same without the traceback, for the history."""
        return self.model_copy(update={"traceback": ""})


class DeadLetter(BaseModel):
    """A job that will not be retried automatically.

    `payload` is the envelope in base64, byte for byte, so that any envelope can be retried. `lost_by` has the
    tokens of owners whose leases ended: if one of them completes the job after all, finish.lua removes the dead
    letter. `history` has the earlier tries, oldest first.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    function: str | None
    queue: str
    payload: str
    reason: str
    failure: Failure
    crashes: int
    worker: str
    lost_by: tuple[str, ...] = ()
    enqueued_at: datetime | None = None
    history: list[Failure] = []

    @model_validator(mode="before")
    @classmethod
    def _accept_lane(cls, stored: Any) -> Any:
        # Earlier versions stored the queue's name as `lane`; their dead letters must stay retriable.
        if isinstance(stored, dict) and "queue" not in stored and "lane" in stored:
            return {"queue": stored["lane"], **stored}
        return stored

    @property
    def envelope(self) -> bytes:
        """The envelope as it was enqueued."""
        return base64.b64decode(self.payload)

    def summary(self) -> dict[str, Any]:
        """Return all but the payload and the tracebacks, for a list."""
        return self.model_dump(
            mode="json", exclude={"payload": True, "failure": {"traceback"}, "lost_by": True, "history": True}
        )


def payload_text(envelope: bytes) -> str:
    """Return an envelope as a dead letter stores it.

    Only the beginning of an envelope that is far larger than any job may be: it will never run, and in base64 it
    would exceed the 512 MB that Redis accepts.
    """
    return base64.b64encode(envelope[:_LONGEST_KEPT]).decode()


def read_dead_letter(job_id: str, stored: bytes) -> DeadLetter:
    """Return a stored dead letter. A value that is not one is returned as a dead letter without a payload."""
    try:
        dead_letter = DeadLetter.model_validate_json(stored)
        base64.b64decode(dead_letter.payload)
        if dead_letter.job_id == job_id:
            return dead_letter
    except (ValidationError, binascii.Error):
        # Returned below as an unreadable one.
        pass
    return DeadLetter(
        job_id=job_id,
        function=None,
        queue=DEFAULT_QUEUE,
        payload="",
        reason="not a dead letter: this worker did not write it",
        failure=Failure(type="UnreadableDeadLetter", message="", tries=0, at_ms=0),
        crashes=0,
        worker="",
    )
