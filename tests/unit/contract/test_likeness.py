from typing import Any

import pytest

from worker.contract.likeness import has_another_name, may_be_same, other_identities

OAK = {"hospital_name": "Oak Hospital", "city": "Agra", "source": "moh"}


@pytest.mark.parametrize(
    ("record", "others"),
    [
        (OAK, ["name:oak hospital CITY agra"]),
        (
            {**OAK, "external_id": "D1"},
            ["name:oak hospital SOURCE moh CITY agra", "name:oak hospital CITY agra"],
        ),
        ({**OAK, "local_id": "D1"}, ["name:oak hospital CITY agra", "moh:D1"]),
        # With a placeholder there is no other identity, and without a source no code is one.
        ({**OAK, "local_id": "N/A"}, ["name:oak hospital CITY agra"]),
        ({"hospital_name": "Oak", "local_id": "D1"}, []),
    ],
)
def test_a_hospital_has_other_identities_if_its_list_is_read_otherwise(
    record: dict[str, Any], others: list[str]
) -> None:
    assert other_identities(record) == others


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"hospital_name": "OAK  hospital"}, True),
        ({"hospital_name": "Oak"}, False),
        ({"city": "282001 Agra"}, True),
        ({"city": "Brusk"}, False),
        ({"city": None}, True),
        ({"county": "North"}, True),
        ({"city": "Ágra"}, True),
        ({"hospital_name": "«OAK»-Hospital"}, True),
        ({"postal_code": "1000"}, True),
        ({"postal_code": "1000.0"}, True),
        ({"postal_code": "01 000"}, True),
        ({"postal_code": "10000"}, False),
        ({"postal_code": "1001"}, False),
        ({"state": "QLD"}, True),
        ({"state": "qld"}, True),
        ({"state": "QL"}, True),
        ({"state": "NSW"}, False),
        ({"state": "Queens"}, False),
        ({"country": "DE"}, True),
        ({"country": "Deutschland", "city": "Brusk"}, False),
        ({"country": "Deutschland", "city": None, "state": None, "postal_code": None}, False),
        ({"country": "GER", "city": None, "state": None, "postal_code": None}, True),
        ({"address": "Hill 2"}, False),
        ({"address": "Hill 1, Block A"}, True),
        ({"location": {"type": "Point", "coordinates": [10.001, 20]}}, True),
        ({"location": {"type": "Point", "coordinates": [11, 20]}}, False),
    ],
)
def test_what_both_know_tells_hospitals_apart(change: dict[str, Any], *, same: bool) -> None:
    place = {**OAK, "state": "Queensland", "postal_code": "01000", "country": "Germany"}
    stored = {**place, "address": "Hill 1", "location": {"type": "Point", "coordinates": [10, 20]}}
    known = {field: value for field, value in {**place, **change}.items() if value is not None}
    assert may_be_same(stored, known) == same


@pytest.mark.parametrize(
    ("name", "another"), [("OAK", False), ("Oak Hospital of Agra", False), ("Oak Clinic", True), ("Elm", True)]
)
def test_a_name_with_words_left_out_is_no_other(name: str, *, another: bool) -> None:
    assert has_another_name(OAK, {"hospital_name": name}) == another
