"""The form of a dead letter, and of one entry of a job's history, as JSON in Redis."""

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
        """Return what is kept of `error`, which ended try number `tries`."""
        return cls(**exception_form(error), tries=tries, at_ms=at_ms)

    def short(self) -> "Failure":
        """Return the same without the traceback, for the history."""
        return self.model_copy(update={"traceback": ""})


class DeadLetter(BaseModel):
    """A job that will not be tried again by itself.

    `payload` is the envelope's bytes exactly as they were, in base 64, so that it can be put back whatever it
    holds. `history` tells of the earlier tries, oldest first.
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
    enqueued_at: datetime | None = None
    history: list[Failure] = []

    @model_validator(mode="before")
    @classmethod
    def _accept_lane(cls, stored: Any) -> Any:
        # Version 0.1.0 stored the queue's name as `lane`; those dead letters must stay retriable.
        if isinstance(stored, dict) and "queue" not in stored and "lane" in stored:
            return {"queue": stored["lane"], **stored}
        return stored

    @property
    def envelope(self) -> bytes:
        """The bytes of the job as they were enqueued."""
        return base64.b64decode(self.payload)

    def summary(self) -> dict[str, Any]:
        """Return all but the payload and the tracebacks, for a list."""
        return self.model_dump(mode="json", exclude={"payload": True, "failure": {"traceback"}, "history": True})


def payload_text(envelope: bytes) -> str:
    """Return an envelope's bytes in the form that a dead letter keeps.

    Of one that is far larger than any job may be, only the beginning: it will never run, and in base 64 the whole
    is more than the 512 MB that Redis takes.
    """
    return base64.b64encode(envelope[:_LONGEST_KEPT]).decode()


def read_dead_letter(job_id: str, stored: bytes) -> DeadLetter:
    """Return a stored dead letter. What somebody else has put in its place is shown as one without a payload."""
    try:
        dead_letter = DeadLetter.model_validate_json(stored)
        base64.b64decode(dead_letter.payload)
        if dead_letter.job_id == job_id:
            return dead_letter
    except (ValidationError, binascii.Error):
        # Told below.
        pass
    return DeadLetter(
        job_id=job_id,
        function=None,
        queue=DEFAULT_QUEUE,
        payload="",
        reason="not a dead letter: somebody else has written it",
        failure=Failure(type="UnreadableDeadLetter", message="", tries=0, at_ms=0),
        crashes=0,
        worker="",
    )
