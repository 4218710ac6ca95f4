"""Any input that the contract accepts can be stored in MongoDB and sent again unchanged."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.codec import Codec
from worker.contract import JOBS, HospitalChanges, HospitalRecord, IngestHospitals, JobSpec
from worker.contract.imports import PreviewHospitals
from worker.contract.known import known_fields
from worker.contract.validation import parse
from worker.errors import InvalidPayload
from worker.mongo.documents import new_hospital, split_changes

# 50 attributes of 1,000 characters of 4 bytes, and some text: far below MongoDB's limit of 16 MB per document.
_LARGEST_DOCUMENT = 300_000
_LONGEST_MESSAGE = 20_000

# Texts of every kind and near the limits. Most are valid, so that accepted payloads are tested too.
TEXTS = (
    st.text(max_size=8)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=310)
    | st.sampled_from(
        ["x", "$set", "$_id", "a.b", "a\0b", "\ud800", " x ", "\u2028", "é" * 200, "\U0001f3e5" * 200, "x" * 301]
    )
)
NUMBERS = (
    st.integers(-(2**70), 2**70)
    | st.integers(0, 100_001)
    | st.floats()
    | st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 10**400, float(2**63), -0.0])
)
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True) | TEXTS
INSTANTS = st.datetimes(
    datetime(1890, 1, 1),  # noqa: DTZ001 - `timezones` adds the offset
    datetime(2030, 1, 1),  # noqa: DTZ001 - `timezones` adds the offset
    timezones=st.just(UTC),
).map(datetime.isoformat)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["address", "city", "state", "postal_code", "county", "country", "phone", "ownership"], TEXTS),
    "hospital_type": st.sampled_from(["single", "multi", "other"]),
    "emergency_services": st.booleans(),
    "beds": NUMBERS,
    "location": st.fixed_dictionaries(
        {"coordinates": st.lists(st.floats(-180, 180) | NUMBERS, min_size=2, max_size=2)}
    ),
    "attributes": st.dictionaries(KEYS, st.booleans() | NUMBERS | TEXTS, max_size=4),
}
RECORDS = st.fixed_dictionaries(
    {"hospital_name": TEXTS},
    optional=FIELDS
    | {"source": st.sampled_from(["cms", "a.b-c_d", "name", "$x"]), "external_id": TEXTS, "observed_at": INSTANTS},
)
CHANGES = st.fixed_dictionaries(
    {}, optional={name: values | st.none() for name, values in FIELDS.items()} | {"hospital_name": TEXTS}
)
REVISIONS = st.integers(1, 2**63 - 1) | NUMBERS
ACT = {"actor": TEXTS, "reason": TEXTS}
ON_EXISTING = st.sampled_from(["keep", "merge", "replace"])
IMPORT_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True) | TEXTS
DIGESTS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
PAYLOADS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "ingest_hospital": st.fixed_dictionaries({"record": RECORDS}, optional={"on_existing": ON_EXISTING}),
    "ingest_hospitals": st.fixed_dictionaries({"records": st.lists(RECORDS | JUNK, min_size=1, max_size=3)}),
    "correct_hospital": st.fixed_dictionaries({"hospital_id": TEXTS, "changes": CHANGES, "revision": REVISIONS}),
    "discard_hospital": st.fixed_dictionaries({"hospital_id": TEXTS, "revision": REVISIONS}),
    "register_hospital": st.fixed_dictionaries({"record": RECORDS, **ACT}),
    "amend_hospital": st.fixed_dictionaries(
        {"hospital_id": TEXTS, "changes": CHANGES, **ACT}, optional={"revision": REVISIONS}
    ),
    "withdraw_hospital": st.fixed_dictionaries({"hospital_id": TEXTS, **ACT}, optional={"revision": REVISIONS}),
    "open_import": st.fixed_dictionaries(
        {
            "import_id": IMPORT_IDS,
            "fingerprint": DIGESTS,
            "file": st.fixed_dictionaries(
                {"name": TEXTS, "bytes": REVISIONS, "sha256": DIGESTS, "rows": REVISIONS}
            ),
            "on_existing": ON_EXISTING,
            "profile": TEXTS,
            "started_by": TEXTS,
        },
        optional={"source": TEXTS, "strict": st.booleans()},
    ),
    "close_import": st.fixed_dictionaries({"import_id": IMPORT_IDS}),
    "find_imports": st.fixed_dictionaries({"import_id": IMPORT_IDS}, optional={"limit": REVISIONS}),
    "read_import_report": st.fixed_dictionaries({"import_id": IMPORT_IDS}, optional={"first_chunk": REVISIONS}),
    "preview_hospitals": st.fixed_dictionaries(
        {"records": st.lists(RECORDS | JUNK, min_size=1, max_size=3)}, optional={"on_existing": ON_EXISTING}
    ),
}


def parsed(spec_model: Any, raw: object) -> Any:
    """Return the model, or `None` after a well-formed `InvalidPayload`; any other exception fails the test."""
    try:
        return parse(spec_model, raw)
    except InvalidPayload as error:
        refusal = error
    assert refusal.problems
    assert all(problem.path and problem.reason for problem in refusal.problems)
    assert len(str(refusal)) < _LONGEST_MESSAGE
    assert str(refusal).isprintable()
    return None


def names_of(value: object) -> Iterator[str]:
    """Yield every key at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from names_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_of(inner)


def assert_can_be_stored(document: dict[str, Any]) -> None:
    stored = bson.encode(document)
    assert len(stored) < _LARGEST_DOCUMENT
    assert bson.decode(stored).keys() == document.keys()
    for name in names_of(document):
        assert name
        assert not name.startswith("$")
        assert "." not in name
        assert "\0" not in name


@given(RECORDS)
@settings(max_examples=300, deadline=None)
def test_an_accepted_record_can_be_stored(raw: dict[str, Any]) -> None:
    record = parsed(HospitalRecord, raw)
    if record is not None:
        known = known_fields(record)
        assert_can_be_stored(
            new_hospital(record.hospital_id, known, status="partial", job_id="j", at=datetime.now(UTC))
        )
        assert len(bson.encode({"_id": record.hospital_id})) < 25_000


@given(CHANGES)
@settings(max_examples=150, deadline=None)
def test_accepted_changes_can_be_stored(raw: dict[str, Any]) -> None:
    changes = parsed(HospitalChanges, raw)
    if changes is not None:
        values, cleared = split_changes(changes)
        assert_can_be_stored(values)
        assert {*values, *cleared} == raw.keys()


@pytest.mark.parametrize("spec", JOBS.values(), ids=list(JOBS))
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_an_accepted_payload_survives_the_codec_unchanged(spec: JobSpec[Any, Any], data: st.DataObject) -> None:
    payload = parsed(spec.payload, data.draw(PAYLOADS[spec.name]))
    if isinstance(payload, (IngestHospitals, PreviewHospitals)):
        # Its records are validated one by one, as by the producer.
        records = [record for raw in payload.records if (record := parsed(HospitalRecord, raw)) is not None]
        payload = type(payload)(records=records) if records else None
    if payload is None:
        return
    message = {"f": spec.name, "a": [payload], "et": 1}
    (raw,) = Codec().decode(Codec().encode(message))["a"]
    again = parse(spec.payload, raw)
    if isinstance(payload, (IngestHospitals, PreviewHospitals)):
        assert [parse(HospitalRecord, record) for record in again.records] == payload.records
    else:
        assert again == payload
        assert again.model_fields_set == payload.model_fields_set


@pytest.mark.parametrize("spec", JOBS.values(), ids=list(JOBS))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_junk_in_a_payload_is_refused_with_its_path(spec: JobSpec[Any, Any], data: st.DataObject) -> None:
    raw = data.draw(PAYLOADS[spec.name])
    name = data.draw(st.sampled_from(sorted(raw)) | TEXTS)
    junk = data.draw(JUNK)
    payload = parsed(spec.payload, raw | {name: junk})
    assert payload is None or name in spec.payload.model_fields
