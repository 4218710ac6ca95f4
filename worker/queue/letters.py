"""The form of a dead letter, and of one entry of a job's history, as JSON in Redis."""

import base64
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from worker.codec import exception_form


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
    lane: str
    payload: str
    reason: str
    failure: Failure
    crashes: int
    worker: str
    enqueued_at: datetime | None = None
    history: list[Failure] = []

    @property
    def envelope(self) -> bytes:
        """The bytes of the job as they were enqueued."""
        return base64.b64decode(self.payload)

    def summary(self) -> dict[str, Any]:
        """Return all but the payload and the tracebacks, for a list."""
        return self.model_dump(mode="json", exclude={"payload": True, "failure": {"traceback"}, "history": True})


def payload_text(envelope: bytes) -> str:
    """Return an envelope's bytes in the form that a dead letter keeps."""
    return base64.b64encode(envelope).decode()
