from typing import Any

import pytest

from worker.contract import HospitalRecord
from worker.contract.known import known_fields, parse_all_known, parse_known
from worker.contract.validation import parse
from worker.errors import InvalidPayload

FULL: dict[str, Any] = {
    "hospital_name": " A ",
    "hospital_type": "multi",
    "address": "1 Main St",
    "city": "Oulu",
    "state": "S",
    "postal_code": "00100",
    "county": "C",
    "country": "FI",
    "phone": "1",
    "ownership": "public",
    "emergency_services": False,
    "beds": 0,
    "location": {"coordinates": [25.5, 65]},
    "local_id": "L",
    "attributes": {"a": 1},
    "source": "fi",
    "external_id": "7",
    "observed_at": "2025-01-02T03:04:05.678901+02:00",
}
INVALID: list[Any] = [
    None,
    {},
    {"hospital_name": "A", "unknown": 1},
    {"hospital_name": "A", "external_id": "7"},
    {"hospital_name": "A", "external_id": "7", "source": None},
    {"hospital_name": "A", "beds": "7"},
    {"hospital_name": "A", "location": {"type": "Polygon", "coordinates": [1, 2]}},
    {"hospital_name": "A", "location": {"coordinates": [1, 91.0]}},
    {"hospital_name": "A", "attributes": {"$a": 1}},
    {"hospital_name": "\u200b", "source": "NO", "city": "", "observed_at": 7},
]


def test_the_example_has_every_field() -> None:
    assert FULL.keys() == HospitalRecord.model_fields.keys()


@pytest.mark.parametrize(
    "record",
    [FULL, {"hospital_name": "A", "attributes": {}}, {"hospital_name": "A", "city": None, "attributes": None}]
    + [{name: FULL[name] for name in ("hospital_name", "source", field)} for field in FULL],
)
def test_what_is_known_is_the_same_whether_a_model_is_made_or_not(record: dict[str, Any]) -> None:
    known = known_fields(parse(HospitalRecord, record))
    # The order counts too: it is that of the stored document.
    assert list(parse_known(record).items()) == list(known.items())
    assert parse_all_known([record, record]) == [known, known]
    assert parse_known(known) == known


@pytest.mark.parametrize("record", INVALID, ids=str)
def test_what_is_refused_and_why_is_the_same_whether_a_model_is_made_or_not(record: object) -> None:
    with pytest.raises(InvalidPayload) as of_model:
        parse(HospitalRecord, record, within="records[3]")
    with pytest.raises(InvalidPayload) as of_mapping:
        parse_known(record, within="records[3]")
    expected = str(of_model.value).replace(" or instance of HospitalRecord", "")
    assert str(of_mapping.value) == expected
    assert parse_all_known([FULL, record]) is None
