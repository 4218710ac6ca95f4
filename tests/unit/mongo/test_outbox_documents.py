from typing import Any

import bson
import pytest
from bson import Int64, MaxKey
from bson.raw_bson import RawBSONDocument

from tests.support.foreign_documents import DUE, FOREIGN, document, with_bytes, with_date_beyond
from worker.contract.outbox import OutboxJob, Place
from worker.mongo.outbox_documents import end_of_hospital, envelope_in, jobs_in


def raw(fields: Any) -> RawBSONDocument:
    return fields if isinstance(fields, RawBSONDocument) else RawBSONDocument(bson.encode(fields))


def listed(fields: Any) -> RawBSONDocument:
    """Return a document as a list of jobs has it: with the type of its envelope."""
    return raw({**fields, "envelope": "binData" if isinstance(fields.get("envelope"), bytes) else "string"})


@pytest.mark.parametrize("delay_ms", [0, Int64(2**62)])
def test_a_job_is_read(delay_ms: int) -> None:
    (job,) = jobs_in([listed(document("cms:1", 7, delay_ms=delay_ms))])

    assert job == OutboxJob(Place("cms:1", 7), "ingest_hospital:outbox:foreign", DUE, delay_ms)


@pytest.mark.parametrize("name", [name for name, fields in FOREIGN.items() if isinstance(fields, dict)])
def test_another_document_is_left_out(name: str) -> None:
    found = jobs_in([listed(document("a")), listed(FOREIGN[name]), listed(document("zzz"))])

    assert [job.place.hospital_id for job in found] == ["a", "zzz"]


@pytest.mark.parametrize("name", [name for name, fields in FOREIGN.items() if not isinstance(fields, dict)])
def test_a_document_that_cannot_be_decoded_is_left_out(name: str) -> None:
    assert jobs_in([FOREIGN[name]]) == []
    assert envelope_in(FOREIGN[name]) is None


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (document("cms:1", 2, envelope=b"\0"), (Place("cms:1", 2), b"\0")),
        (document(envelope=...), None),
        (document(envelope="text"), None),
        (document(seq="x"), None),
    ],
)
def test_an_envelope_is_bytes_at_a_place(fields: Any, found: tuple[Place, bytes] | None) -> None:
    assert envelope_in(raw(fields)) == found


@pytest.mark.parametrize(
    "fields",
    [
        document("cms:1", 7),
        # These stand among the jobs of the hospital, so the next page must not begin in the middle of them.
        document("cms:1", 1.5),
        document("cms:1", job=...),
        document(_id={"hospital": "cms:1", "seq": 7, "z": 1}),
        with_date_beyond(hospital_id="cms:1"),
        with_bytes(b"\xff\xfe\xfd\xfc", hospital_id="cms:1", job="ABCD"),
    ],
)
def test_the_end_of_a_hospital_is_after_all_its_jobs(fields: Any) -> None:
    assert end_of_hospital(raw(fields)) == {"hospital": "cms:1", "seq": MaxKey()}


@pytest.mark.parametrize(
    "fields",
    [
        document(_id={"zoo": "a"}),
        document(seq=MaxKey()),
        with_bytes(b"\xff\xfe\xfd\xfc", hospital_id="zzABCD"),
    ],
)
def test_the_end_of_another_document_is_its_own_id(fields: Any) -> None:
    whole = raw(fields)
    end = end_of_hospital(whole)

    assert isinstance(end, RawBSONDocument)
    assert bytes(whole.raw)[4:].startswith(b"\x03_id\0" + bytes(end.raw))
