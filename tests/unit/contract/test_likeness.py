from typing import Any

import pytest

from worker.contract.likeness import has_another_name, may_be_same, other_identities, spellings

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
    ("one", "other"),
    [
        ("Oak Hospital", "OAK HOSPITAL"),
        ("OAK HOSPITAL", "Oak Hospital"),
        ("İstanbul Hastanesi", "İSTANBUL HASTANESİ"),
        ("İSTANBUL HASTANESİ", "İstanbul Hastanesi"),
        ("Kırıkkale Hastanesi", "KIRIKKALE HASTANESİ"),  # noqa: RUF001  # is about them
    ],
)
def test_a_name_is_looked_up_in_capitals_too(one: str, other: str) -> None:
    assert {one, other} <= spellings(one)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"hospital_name": "OAK  hospital"}, True),
        ({"hospital_name": "Oak"}, False),
        ({"city": "282001 Agra"}, True),
        ({"city": "Brusk"}, False),
        ({"city": None}, True),
        ({"state": "North"}, True),
        ({"address": "Hill 2"}, False),
        ({"address": "Hill 1, Block A"}, True),
        ({"location": {"type": "Point", "coordinates": [10.001, 20]}}, True),
        ({"location": {"type": "Point", "coordinates": [11, 20]}}, False),
    ],
)
def test_what_both_know_tells_hospitals_apart(change: dict[str, Any], *, same: bool) -> None:
    stored = {**OAK, "address": "Hill 1", "location": {"type": "Point", "coordinates": [10, 20]}}
    known = {field: value for field, value in {**OAK, **change}.items() if value is not None}
    assert may_be_same(stored, known) == same


@pytest.mark.parametrize(
    ("name", "another"), [("OAK", False), ("Oak Hospital of Agra", False), ("Oak Clinic", True), ("Elm", True)]
)
def test_a_name_with_words_left_out_is_no_other(name: str, *, another: bool) -> None:
    assert has_another_name(OAK, {"hospital_name": name}) == another
