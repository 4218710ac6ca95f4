"""What another program may have written into the outbox past its validator, each as MongoDB's drivers send it."""

from datetime import UTC, datetime
from typing import Any

import bson
from bson import Int64, MaxKey
from bson.raw_bson import RawBSONDocument

DUE = datetime(2026, 11, 28, tzinfo=UTC)


def document(hospital_id: str = "foreign", seq: Any = 1, **changes: Any) -> dict[str, Any]:
    """Return a document of the outbox with changes; a field that is `...` is left out."""
    job = {"job": "ingest_hospital:outbox:foreign", "due": DUE, "delay_ms": 0, "envelope": b"{}"}
    fields = {"_id": {"hospital": hospital_id, "seq": seq}, **job, **changes}
    return {name: value for name, value in fields.items() if value is not ...}


def with_bytes(wanted: bytes, **fields: Any) -> RawBSONDocument:
    """Return a document in which `wanted` stands for the text `ABCD`: bytes that are no UTF-8."""
    return RawBSONDocument(bson.encode(document(**fields)).replace(b"ABCD", wanted))


def with_date_beyond(**fields: Any) -> RawBSONDocument:
    """Return a document that is due after the year 9999."""
    encoded = bson.encode(document(**{"due": Int64(2**62), **fields}))
    return RawBSONDocument(encoded.replace(b"\x12due\0", b"\x09due\0"))


FOREIGN: dict[str, Any] = {
    "no envelope": document(envelope=...),
    "an envelope that is text": document(envelope="text"),
    "an envelope that is an object": document(envelope={"a": 1}),
    "an envelope that is null": document(envelope=None),
    "no job": document(job=...),
    "a job that is a number": document(job=7),
    "a due time that is text": document(due="today"),
    "a delay that is negative": document(delay_ms=-1),
    "a number of the job that is text": document(seq="x"),
    "a number of the job that is a fraction": document(seq=1.5),
    "a number of the job that is too high": document(seq=Int64(2**63 - 1)),
    "a number of the job that is the highest key": document(seq=MaxKey()),
    "an id with another field": document(_id={"hospital": "foreign", "seq": 1, "z": 1}),
    "an id without a number": document(_id={"hospital": "foreign"}),
    "an id of other fields": document(_id={"zoo": "a"}),
    "a due time after the year 9999": with_date_beyond(),
    "a job that is no UTF-8": with_bytes(b"\xff\xfe\xfd\xfc", job="ingest_hospital:outbox:ABCD"),
    "a hospital that is no UTF-8": with_bytes(b"\xff\xfe\xfd\xfc", hospital_id="zzABCD"),
}
"""None of them is a job. All sort between the ids of hospitals `a` and `zzz`, so that looks at all meet them."""
