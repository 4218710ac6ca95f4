"""Documents of the outbox as MongoDB returns them: jobs, and what another program has written past the validator.

They are read raw and decoded one by one: the driver decodes a whole answer or nothing of it, so that one document
with a date or a text that cannot be decoded would hide all others.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import MaxKey, decode
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from worker.contract.outbox import OutboxJob, Place
from worker.mongo.client import Document

RAW = CodecOptions(document_class=RawBSONDocument, tz_aware=True)
JOB_FIELDS: Document = {"job": True, "due": True, "delay_ms": True, "envelope": {"$type": "$envelope"}}
"""What is read of a job: of its envelope, which may be large, only the type."""
_DECODED: CodecOptions[Document] = CodecOptions(tz_aware=True)
# A job after the last of a hospital must have a number that MongoDB can store.
_HIGHEST_SEQ = 2**63 - 1
# An id is the first field of a document. Before it are the document's length, its type, and its name.
_ID_AT = 4 + 1 + len(b"_id\0")


def jobs_in(found: Sequence[RawBSONDocument]) -> list[OutboxJob]:
    """Return the jobs among these documents, which have the `JOB_FIELDS`."""
    return [job for document in found if (job := _job_in(document)) is not None]


def envelope_in(found: RawBSONDocument) -> tuple[Place, bytes] | None:
    """Return a job's place and envelope; `None` if the document has none of both."""
    match decoded(found):
        case {"_id": stored_id, "envelope": bytes(envelope)} if (place := _place(stored_id)) is not None:
            return place, envelope
    return None


def decoded(found: RawBSONDocument) -> Document | None:
    """Return a document as plain values; `None` if it cannot be decoded."""
    try:
        return decode(found.raw, _DECODED)
    except BSONError:
        return None


def end_of_hospital(found: RawBSONDocument) -> Any:
    """Return an id after those of all jobs of the same hospital, however many it has.

    The id of another document is returned as it is stored, unless it stands among those of a hospital's jobs.
    """
    size = int.from_bytes(found.raw[_ID_AT : _ID_AT + 4], "little")
    stored_id = RawBSONDocument(bytes(found.raw[_ID_AT : _ID_AT + size]))
    match decoded(stored_id):
        case {"hospital": str(hospital_id), "seq": seq} if not isinstance(seq, MaxKey):
            return {"hospital": hospital_id, "seq": MaxKey()}
    return stored_id


def _job_in(found: RawBSONDocument) -> OutboxJob | None:
    match decoded(found):
        case {
            "_id": stored_id,
            "job": str(job_id),
            "due": datetime() as due,
            "delay_ms": int(delay_ms),
            "envelope": "binData",
        } if delay_ms >= 0 and (place := _place(stored_id)) is not None:
            return OutboxJob(place, job_id, due, delay_ms)
    return None


def _place(stored_id: Any) -> Place | None:
    """Return the place that an id names; `None` for one that a look-up of a place does not find."""
    match stored_id:
        case {"hospital": str(hospital_id), "seq": int(seq)} if [*stored_id] == ["hospital", "seq"]:
            return Place(hospital_id, seq) if 1 <= seq < _HIGHEST_SEQ else None
    return None
