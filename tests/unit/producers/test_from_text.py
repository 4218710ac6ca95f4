from typing import Any

import pytest

from producers.from_text import changes_from_text, record_from_text
from worker.errors import InvalidPayload


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"beds": "1200"}, {"beds": 1_200}),
        ({"beds": ""}, {"beds": None}),
        ({"phone": "", "city": "Troy"}, {"phone": None, "city": "Troy"}),
        ({"hospital_name": "New"}, {"hospital_name": "New"}),
        ({"latitude": "41.5", "longitude": "-73"}, {"location": {"type": "Point", "coordinates": (-73.0, 41.5)}}),
        ({"location": ""}, {"location": None}),
        ({"attributes": '{"rating": 5}'}, {"attributes": {"rating": 5}}),
        (
            {"emergency_services": "yes", "hospital_type": "multi"},
            {"emergency_services": True, "hospital_type": "multi"},
        ),
    ],
)
def test_only_the_given_fields_are_changed(fields: dict[str, str], changes: dict[str, Any]) -> None:
    assert changes_from_text(fields).model_dump(exclude_unset=True) == changes


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"phone": "n/a"}, "phone: is read as a missing value; to clear it: phone="),
        ({"beds": "many"}, "beds: is not a number"),
        ({"attributes.rating": "5"}, "attributes are replaced together"),
        ({"zork": "1"}, "zork: unknown field"),
        ({"zork": ""}, "zork: unknown field"),
        ({"latitude": "41.5"}, "latitude: give latitude and longitude"),
        ({"hospital_name": ""}, "hospital_name cannot be cleared"),
        ({"source": "hr"}, "source: unknown field"),
        ({"observed_at": "2025-01-01"}, "observed_at: unknown field"),
        ({"status": "registered"}, "status: unknown field"),
    ],
)
def test_what_cannot_be_changed_is_refused(fields: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        changes_from_text(fields)
    assert problem in str(refused.value)


@pytest.mark.parametrize("given", [{"latitude": "41.5"}, {"longitude": "-73"}])
def test_half_a_position_is_not_dropped_from_a_record(given: dict[str, str]) -> None:
    with pytest.raises(InvalidPayload, match="give latitude and longitude"):
        record_from_text({"hospital_name": "Mercy", **given})
