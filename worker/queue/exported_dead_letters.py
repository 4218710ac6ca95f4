"""Dead letters as lines of JSON with readable payloads, and back.

An envelope that these keys verify is exported as its message, so that a person can read and correct it, and is
signed again when it is imported. Any other is exported byte for byte, and workers refuse it as before.
"""

import binascii
import json
from typing import Any, NamedTuple

from pydantic import ValidationError

from worker.codec import Codec, check_job_id
from worker.errors import InvalidEnvelope, RegistryError
from worker.queue.dead_letter import DeadLetter, payload_digest

_JOB_ID = "id"


class InvalidExport(RegistryError):
    """A line is not a dead letter that was exported."""


class ImportedDeadLetter(NamedTuple):
    """A dead letter to store again, and the envelope of its job; that is empty if it had none."""

    dead_letter: DeadLetter
    envelope: bytes


def exported(dead_letter: DeadLetter, codec: Codec) -> dict[str, Any]:
    """Return a dead letter with its payload, as `imported` takes it: as `message` if it can be read."""
    shown = dead_letter.model_dump(mode="json")
    if dead_letter.payload:
        try:
            message = codec.decode(dead_letter.envelope)
            check_job_id(message, dead_letter.job_id)
        except InvalidEnvelope:
            return shown
        if "s" not in message:
            del shown["payload"]
            shown["message"] = message
    return shown


def imported(line: str | bytes, codec: Codec) -> ImportedDeadLetter:
    """Return the dead letter of an exported line, also of an earlier version, or of the files of the archive.

    A readable message is signed if this codec signs. Raises `InvalidExport` with what is wrong.
    """
    try:
        values = json.loads(line)
    except ValueError:
        raise InvalidExport("not JSON") from None
    if not isinstance(values, dict):
        raise InvalidExport("not an object")
    message = values.pop("message", None)
    try:
        dead_letter = DeadLetter.model_validate(values)
        envelope = dead_letter.envelope if message is None else _signed(codec, message, dead_letter.job_id)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidExport(f"not a dead letter ({place})") from None
    except (binascii.Error, ValueError):
        raise InvalidExport("payload is not base64") from None
    kept = {"payload": "", "payload_bytes": len(envelope), "payload_digest": payload_digest(envelope)}
    return ImportedDeadLetter(dead_letter.model_copy(update=kept if envelope else {"payload_bytes": 0}), envelope)


def _signed(codec: Codec, message: object, job_id: str) -> bytes:
    if not isinstance(message, dict):
        raise InvalidExport("message is not an object")
    try:
        # A signed message must name its job; one that was corrected must still be a job.
        envelope = codec.encode({**message, _JOB_ID: job_id} if codec.signs else message)
        codec.decode(envelope)
    except (InvalidEnvelope, TypeError) as error:
        raise InvalidExport(f"message is not a job ({error})") from None
    return envelope
