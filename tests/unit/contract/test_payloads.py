import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from worker.contract import (
    JOBS,
    CorrectHospital,
    HospitalRecord,
    IngestHospital,
    IngestHospitals,
    JobSpec,
    RegisterHospital,
)
from worker.contract.imports import ReadImportReport
from worker.contract.validation import MAX_PROBLEMS, parse
from worker.errors import InvalidPayload, PayloadProblem

SECRET = "Zebra4711"
FULL: dict[str, Any] = {
    "hospital_name": "Sunrise Clinic", "source": "hr", "external_id": "42", "hospital_type": "multi",
    "observed_at": "2025-06-30T12:00:00.123Z", "address": "1 Road", "city": "Zagreb", "state": "HR",
    "postal_code": "10000", "county": "c", "country": "Croatia", "phone": "+385 1", "ownership": "public",
    "emergency_services": True, "beds": 120, "location": {"type": "Point", "coordinates": [15, 45.8]},
    "attributes": {"rating": 4.5, "beds2": 3, "open": False, "note": "x"},
}  # fmt: skip
PAYLOADS: dict[str, dict[str, Any]] = {
    "ingest_hospital": {"record": FULL, "on_existing": "merge"},
    "ingest_hospitals": {
        "records": [FULL, {"bad": 1}, None],
        "on_existing": "replace",
        "import_id": "cms-2025.1",
        "lines": [2, 3, 7],
        "chunk": 4,
        "unread": [
            {"line": 4, "reasons": ["hospital_name: is missing"]},
            {"line": 7, "left_out": [{"field": "beds", "column": "Beds", "value": "many", "reason": "no number"}]},
        ],
    },
    "correct_hospital": {"hospital_id": "hr:42", "revision": 1, "changes": {"beds": None, "city": "Split"}},
    "discard_hospital": {"hospital_id": "hr:42", "revision": 1},
    "register_hospital": {"record": FULL, "actor": "a", "reason": "r"},
    "amend_hospital": {"hospital_id": "hr:42", "changes": {"beds": 1}, "actor": "a", "reason": "r"},
    "withdraw_hospital": {"hospital_id": "hr:42", "actor": "a", "reason": "r", "revision": 3},
    "open_import": {
        "import_id": "cms-2025.1",
        "fingerprint": "ab" * 32,
        "file": {"name": "cms.csv", "bytes": 120, "sha256": "cd" * 32, "rows": 3},
        "on_existing": "keep",
        "source": "cms",
        "profile": "version = 1",
        "started_by": "ito",
    },
    "close_import": {"import_id": "cms-2025.1"},
    "find_imports": {"limit": 5},
    "read_import_report": {"import_id": "cms-2025.1", "first_chunk": 3},
    "preview_hospitals": {"records": [FULL, {"bad": 1}], "on_existing": "merge"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*HospitalRecord.model_fields, "record", "changes", "hospital_id", "revision", "$gt"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def problems(model: type[BaseModel], raw: object, within: str = "") -> tuple[PayloadProblem, ...]:
    with pytest.raises(InvalidPayload) as caught:
        parse(model, raw, within=within)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value.problems


def paths(model: type[BaseModel], raw: object, within: str = "") -> list[str]:
    return [problem.path for problem in problems(model, raw, within)]


@pytest.mark.parametrize("spec", JOBS.values(), ids=list(JOBS))
def test_payloads_survive_the_wire(spec: JobSpec[Any, Any]) -> None:
    payload = parse(spec.payload, PAYLOADS[spec.name])
    wire = orjson.loads(orjson.dumps(payload.model_dump(mode="json", exclude_unset=True)))
    assert parse(spec.payload, wire) == payload


@pytest.mark.parametrize("spec", JOBS.values(), ids=list(JOBS))
@given(raw=JSON)
def test_any_json_gives_a_model_or_an_invalid_payload(spec: JobSpec[Any, Any], raw: Any) -> None:
    for attempt in (
        raw,
        {**PAYLOADS[spec.name], **raw} if isinstance(raw, dict) else {"record": raw, "changes": raw},
    ):
        try:
            results: list[object] = [parse(spec.payload, attempt)]
        except InvalidPayload as error:
            results = [*error.problems]
        assert 1 <= len(results) <= MAX_PROBLEMS + 1


@given(JSON, st.sampled_from(sorted(FULL)))
def test_any_json_in_a_field_gives_a_record_or_a_problem_of_that_field(raw: Any, field: str) -> None:
    found: tuple[PayloadProblem, ...] = ()
    try:
        parse(HospitalRecord, {**FULL, field: raw})
    except InvalidPayload as error:
        found = error.problems
    # An external id without a source is a problem of the whole record, whose path is `payload`.
    assert all(problem.path.startswith(field) or problem.path == "payload" for problem in found)


@pytest.mark.parametrize("spec", JOBS.values(), ids=list(JOBS))
@pytest.mark.parametrize("field", ["$where", "a.b", "_id", "x\x00", "x\ny", "", "[key]", "é"])
def test_unknown_fields_are_refused_by_path(spec: JobSpec[Any, Any], field: str) -> None:
    (problem,) = problems(spec.payload, {**PAYLOADS[spec.name], field: SECRET})
    assert problem.reason == "unknown field"
    assert problem.path.isprintable()
    assert problem.path.strip('"') == field.encode("unicode_escape").decode()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"hospital_name": SECRET + "\x00"}, "record.hospital_name"),
        ({"hospital_name": SECRET * 100}, "record.hospital_name"),
        ({"hospital_name": SECRET + "\ud800"}, "record.hospital_name"),
        ({"hospital_name": {"$gt": SECRET}}, "record.hospital_name"),
        ({"hospital_name": None}, "record.hospital_name"),
        ({"hospital_name": "\u200b"}, "record.hospital_name"),
        ({"beds": 7.0}, "record.beds"),
        ({"beds": 2**63}, "record.beds"),
        ({"beds": SECRET}, "record.beds"),
        ({"hospital_type": SECRET}, "record.hospital_type"),
        ({"emergency_services": 1}, "record.emergency_services"),
        ({"$set": {"status": SECRET}}, "record.$set"),
        ({"status": "registered"}, "record.status"),
        ({"location": {"coordinates": [0, math.nan]}}, "record.location.coordinates[1]"),
        ({"location": {"coordinates": [SECRET, 0]}}, "record.location.coordinates[0]"),
        ({"location": {"coordinates": [0]}}, "record.location.coordinates[1]"),
        ({"location": {"coordinates": [0, 0, 0]}}, "record.location.coordinates"),
        ({"location": {"coordinates": {15, 45}}}, "record.location.coordinates"),
        ({"location": {"type": SECRET, "coordinates": [0, 0]}}, "record.location.type"),
        ({"location": {"coordinates": [0, 0], "$near": 1}}, "record.location.$near"),
        ({"attributes": {"a.b": SECRET}}, 'record.attributes."a.b"'),
        ({"attributes": {"$gt": SECRET}}, "record.attributes.$gt"),
        ({"attributes": {"": SECRET}}, 'record.attributes.""'),
        ({"attributes": {"a": {"b": SECRET}}}, "record.attributes.a"),
        ({"attributes": {"a": SECRET + "\x1b"}}, "record.attributes.a"),
        ({"attributes": {"a": math.inf}}, "record.attributes.a"),
        ({"attributes": {"a": 2**63}}, "record.attributes.a"),
        ({"attributes": orjson.loads(f'{{"a":{2**64}}}')}, "record.attributes.a"),
        ({"attributes": orjson.loads('{"a":' * 1_000 + "1" + "}" * 1_000)}, "record.attributes.a"),
        ({"attributes": {f"a{n}": 1 for n in range(51)}}, "record.attributes"),
        ({"observed_at": "1700000000"}, "record.observed_at"),
        ({"observed_at": "9999-12-31T23:59:59-14:00"}, "record.observed_at"),
        ({"source": "name"}, "record.source"),
        ({"source": None}, "record"),
    ],
)
def test_invalid_fields_are_reported_by_path_and_never_by_value(change: dict[str, Any], path: str) -> None:
    assert paths(IngestHospital, {"record": {**FULL, **change}}) == [path]


def test_every_invalid_field_is_reported() -> None:
    found = paths(RegisterHospital, {"record": {"beds": -1, "x": 1}, "actor": "", "extra": 1})
    assert set(found) == {"record.hospital_name", "record.beds", "record.x", "actor", "reason", "extra"}


def test_a_problem_of_a_whole_record_is_reported_at_the_index_of_the_record() -> None:
    assert paths(HospitalRecord, {"hospital_name": "A", "external_id": "1"}, "records[17]") == ["records[17]"]


def test_integer_coordinates_become_floats() -> None:
    record = parse(HospitalRecord, FULL)
    assert record.location is not None
    assert [type(degree) for degree in record.location.coordinates] == [float, float]
    assert record.hospital_id == "hr:42"


@pytest.mark.parametrize(("count", "accepted"), [(0, False), (1, True), (1_000, True), (1_001, False)])
def test_chunks_are_limited_in_size_and_their_records_are_not_validated(count: int, accepted: bool) -> None:
    raw = {"records": [{"$bad": 1}] * count}
    if accepted:
        assert parse(IngestHospitals, raw).records == raw["records"]
    else:
        assert paths(IngestHospitals, raw) == ["records" if count else "payload"]


def test_a_chunk_of_an_import_may_have_no_row_that_could_be_read() -> None:
    unread = [{"line": 2, "reasons": ["hospital_name: is missing"]}]
    chunk = parse(IngestHospitals, {"records": [], "import_id": "i", "lines": [], "chunk": 0, "unread": unread})

    assert [row.line for row in chunk.unread] == [2]
    assert paths(IngestHospitals, {"records": [], "unread": unread}) == ["payload"]


@pytest.mark.parametrize("chunk", [-1, 2**63])
def test_the_first_chunk_of_a_report_is_a_count_that_can_be_stored(chunk: int) -> None:
    assert paths(ReadImportReport, {"import_id": "i", "first_chunk": chunk}) == ["first_chunk"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"import_id": "i", "lines": [2, 3]}, None),
        ({"lines": [2, 3]}, None),
        ({"import_id": None, "lines": None}, None),
        ({"import_id": "i"}, "payload"),
        ({"import_id": "i", "lines": [2]}, "payload"),
        ({"lines": [2, 3, 4]}, "payload"),
        ({"lines": [2, 2]}, "payload"),
        ({"lines": [0, 1]}, "lines[0]"),
        ({"lines": ["2", 3]}, "lines[0]"),
        ({"import_id": "", "lines": [2, 3]}, "import_id"),
        ({"import_id": "a b", "lines": [2, 3]}, "import_id"),
        ({"import_id": "$a", "lines": [2, 3]}, "import_id"),
        ({"on_existing": "overwrite"}, "on_existing"),
    ],
)
def test_an_import_names_the_line_of_each_record(fields: dict[str, Any], path: str | None) -> None:
    payload = {"records": [FULL, FULL], **fields}
    if path is None:
        assert parse(IngestHospitals, payload).lines == fields["lines"]
    else:
        assert paths(IngestHospitals, payload) == [path]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "contains no field"),
        ({"hospital_name": None}, "cannot be cleared"),
        ({"hospital_type": None}, "cannot"),
    ],
)
def test_changes_contain_a_field_and_clear_no_required_field(changes: dict[str, Any], reason: str) -> None:
    (problem,) = problems(CorrectHospital, {"hospital_id": "a:1", "revision": 1, "changes": changes})
    assert problem.path == "changes"
    assert reason in problem.reason


def test_a_cleared_field_differs_from_an_absent_field() -> None:
    raw = {"hospital_id": "a:1", "revision": 1, "changes": {"phone": None}}
    assert parse(CorrectHospital, raw).changes.model_fields_set == {"phone"}


@pytest.mark.parametrize("field", ["source", "external_id", "status", "_id", "observed_at", "revision"])
def test_changes_cannot_contain_identity_or_status(field: str) -> None:
    raw = {"hospital_id": "a:1", "revision": 1, "changes": {"city": "x", field: SECRET}}
    assert paths(CorrectHospital, raw) == [f"changes.{field}"]


@pytest.mark.parametrize(
    ("hospital_id", "name", "accepted"),
    [("name:clinic", "CLINIC", True), ("name:clinic", "Other", False), ("hr:42", "Other", True)],
)
def test_a_new_name_must_keep_the_identity(hospital_id: str, name: str, accepted: bool) -> None:
    raw = {"hospital_id": hospital_id, "revision": 1, "changes": {"hospital_name": name}}
    if accepted:
        assert parse(CorrectHospital, raw).changes.hospital_name == name
    else:
        assert "identity" in problems(CorrectHospital, raw)[0].reason


def test_every_job_has_a_sample_payload() -> None:
    assert set(JOBS) == set(PAYLOADS)
