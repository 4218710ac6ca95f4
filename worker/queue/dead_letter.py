"""Dead letters, and the entries of a job's history, as JSON in Redis."""

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, ValidationError, model_validator

from worker.codec import exception_form
from worker.contract import DEFAULT_QUEUE
from worker.contract.deferred import Deferred
from worker.errors import InvalidEnvelope, InvalidPayload


class Failure(Deferred):
    """How one try ended: the error's class, message and traceback, and when, in ms."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    traceback: str = ""
    tries: int
    at_ms: int

    @classmethod
    def of(cls, error: BaseException, tries: int, at_ms: int) -> "Failure":
        """Return the record of `error`, which ended try number `tries`.

        A refused envelope or payload has no traceback: its message says what is wrong, and where it was refused is
        always the same. A backlog of refused jobs would store it once per job.
        """
        form = exception_form(error)
        if isinstance(error, InvalidEnvelope | InvalidPayload):
            form["traceback"] = ""
        return cls(**form, tries=tries, at_ms=at_ms)

    def short(self) -> "Failure":
        """Return the same without the traceback, for the history."""
        return self.model_copy(update={"traceback": ""})


class DeadLetter(Deferred):
    """A job that will not be retried automatically.

    Redis keeps the envelope beside this, as it was enqueued; of it this has the size and a digest. `payload` is the
    envelope in base64, byte for byte, if it was fetched, or stored here by an earlier version. `lost_by` has the
    tokens of owners whose leases ended: if one of them completes the job after all, finish.lua removes the dead
    letter. `history` has the earlier tries, oldest first.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    function: str | None
    queue: str
    payload: str = ""
    payload_bytes: int = 0
    payload_digest: str = ""
    reason: str
    failure: Failure
    crashes: int
    worker: str
    lost_by: tuple[str, ...] = ()
    enqueued_at: datetime | None = None
    history: list[Failure] = []

    @model_validator(mode="before")
    @classmethod
    def _accept_former_name(cls, stored: Any) -> Any:
        # Earlier versions stored the queue's name as `lane`; their dead letters must stay retriable.
        if isinstance(stored, dict) and "queue" not in stored and "lane" in stored:
            return {"queue": stored["lane"], **stored}
        return stored

    @property
    def envelope(self) -> bytes:
        """The envelope as it was enqueued."""
        return base64.b64decode(self.payload)

    @property
    def has_payload(self) -> bool:
        """Whether the job's envelope is kept, so that it can be retried."""
        return bool(self.payload or self.payload_bytes)

    def is_of(self, envelope: bytes) -> bool:
        """Whether this is the dead letter of a job with that envelope."""
        if self.payload:
            return self.envelope == envelope
        return self.payload_digest == payload_digest(envelope)

    def stored(self) -> bytes:
        """Return what Redis stores: all but the payload and the history, which have their own places."""
        return self.model_dump_json(exclude={"payload", "history"}).encode()

    def summary(self) -> dict[str, Any]:
        """Return all but the payload and the tracebacks, for a list."""
        left_out: Any = dict.fromkeys(("payload", "payload_digest", "lost_by", "history"), True)
        left_out["failure"] = {"traceback"}
        return self.model_dump(mode="json", exclude=left_out)


def payload_text(envelope: bytes) -> str:
    """Return an envelope as a dead letter shows it."""
    return base64.b64encode(envelope).decode()


def payload_digest(envelope: bytes) -> str:
    """Return what identifies an envelope without repeating it."""
    return hashlib.blake2b(envelope, digest_size=16).hexdigest()


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
