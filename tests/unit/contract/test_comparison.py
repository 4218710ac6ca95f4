from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract import HospitalRecord
from worker.contract.comparison import (
    DISTINGUISHING_FIELDS,
    collision_differences,
    collision_fields,
    content_differences,
    distinguishing_differences,
    distinguishing_key,
    is_conflict,
)
from worker.contract.known import known_fields
from worker.contract.validation import parse

AT, LATER = datetime(2025, 6, 30, tzinfo=UTC), datetime(2025, 7, 31, tzinfo=UTC)
VALUES = st.sampled_from(["A", "a ", "B", "Ü", "ü"])
ROWS = st.fixed_dictionaries(
    {"hospital_name": VALUES},
    optional={
        **dict.fromkeys(["country", "city", "address", "local_id"], VALUES),
        "location": st.sampled_from([{"type": "Point", "coordinates": [1.0, latitude]} for latitude in (2, 3)]),
    },
)


def at(longitude: float, latitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def test_known_fields_are_the_fields_with_a_value() -> None:
    record = parse(
        HospitalRecord,
        {"hospital_name": "A", "beds": 0, "emergency_services": False, "attributes": {}, "city": None},
    )
    assert known_fields(record) == {"hospital_name": "A", "beds": 0, "emergency_services": False}


def test_known_fields_include_every_field_of_the_contract() -> None:
    values: dict[str, Any] = {
        "hospital_name": "A", "source": "s", "external_id": "1", "hospital_type": "multi", "address": "a",
        "city": "c", "state": "s", "postal_code": "p", "county": "c", "country": "c", "phone": "p",
        "ownership": "o", "emergency_services": True, "beds": 1, "local_id": "7",
        "location": {"type": "Point", "coordinates": [1.0, 2.0]}, "attributes": {"a": 1}, "observed_at": AT,
    }  # fmt: skip
    assert set(values) == set(HospitalRecord.model_fields)
    assert known_fields(parse(HospitalRecord, values)) == values


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ({"hospital_name": "mercy ", "city": "BOAZ", "location": at(1, 2)}, []),
        ({"hospital_name": "Mercy", "city": "Boaz", "location": at(1, 2), "beds": 4, "phone": "1"}, []),
        ({"hospital_name": "Angel", "city": "Boaz", "location": at(1, 2)}, ["hospital_name"]),
        ({"hospital_name": "Mercy", "location": at(1, 2)}, ["city"]),
        ({"hospital_name": "Mercy", "city": "Boaz"}, ["location"]),
        ({"hospital_name": "Mercy", "city": "Boaz", "location": at(1, 2.001)}, ["location"]),
        ({"hospital_name": "Mercy", "city": "Boaz", "location": at(1, 2), "address": "1 Main"}, ["address"]),
        ({"hospital_name": "Mercy", "city": "Boaz", "location": at(1, 2), "local_id": "8"}, ["local_id"]),
        (
            {"hospital_name": "Mercy", "city": "Boaz", "location": at(1, 2), "country": "US", "county": "M"},
            ["country", "county"],
        ),
    ],
)
def test_rows_differ_if_name_place_address_coordinates_or_local_id_do(
    other: dict[str, Any], differing: list[str]
) -> None:
    row = {"hospital_name": "Mercy", "city": "Boaz", "location": at(1.0, 2.0), "beds": 3}
    assert [each.field for each in distinguishing_differences(row, other)] == differing
    assert (distinguishing_key(row) == distinguishing_key(other)) is (not differing)


@pytest.mark.parametrize(
    ("holder", "row", "differing", "differing_from_the_whole"),
    [
        ({"beds": 20, "phone": "1"}, {"beds": 20, "phone": "1"}, [], []),
        ({"beds": 20, "phone": "1"}, {"beds": 35, "phone": "2"}, ["phone", "beds"], ["phone", "beds"]),
        ({"beds": 20}, {"beds": 35}, ["beds"], ["beds"]),
        # A row that knows less is a repetition, unless it would erase what the first one knows.
        ({"beds": 20, "phone": "1"}, {}, [], ["phone", "beds"]),
        ({}, {"phone": "1"}, ["phone"], ["phone"]),
        ({"ownership": "Public"}, {"ownership": " public"}, [], []),
        ({}, {"hospital_type": "single"}, [], []),
        ({"hospital_type": "single"}, {"hospital_type": "multi"}, ["hospital_type"], ["hospital_type"]),
        ({"emergency_services": True}, {"emergency_services": False}, ["emergency_services"], None),
        ({"attributes": {"a": 1, "b": 2}}, {"attributes": {"a": 1}}, ["attributes.b"], ["attributes.b"]),
        # What was observed at another time may have changed since, but for the telephone.
        ({"beds": 20, "observed_at": AT}, {"beds": 35, "observed_at": LATER}, [], []),
        ({"beds": 20, "observed_at": AT}, {"beds": 35, "observed_at": AT}, ["beds"], ["beds"]),
        ({"beds": 20}, {"beds": 35, "observed_at": AT}, ["beds"], ["beds"]),
        ({"beds": 20, "observed_at": AT}, {"beds": 35}, ["beds"], ["beds"]),
        ({"phone": "1", "observed_at": AT}, {"phone": "2", "observed_at": LATER}, ["phone"], ["phone"]),
    ],
)
def test_rows_without_an_identifier_differ_in_all_that_the_later_one_knows(
    holder: dict[str, Any], row: dict[str, Any], differing: list[str], differing_from_the_whole: list[str] | None
) -> None:
    one, other = ({"hospital_name": "Oak", "city": "Agra", **known} for known in (holder, row))
    assert [each.field for each in collision_differences(one, other)] == differing
    whole = [each.field for each in collision_differences(one, other, whole=True)]
    assert whole == (differing if differing_from_the_whole is None else differing_from_the_whole)
    # What a claim keeps of the first row is enough to find the same.
    kept = collision_fields(one)
    assert collision_differences(kept, other) == collision_differences(one, other)
    # An identifier says that they are one hospital.
    named = {"source": "cms", "external_id": "1"}
    assert collision_differences(one | named, other | named, whole=True) == []
    placeholder = {"source": "cms", "external_id": "N/A"}
    assert [each.field for each in collision_differences(one | placeholder, other | placeholder)] == differing


@given(ROWS, ROWS)
def test_the_key_and_the_differences_of_two_rows_agree(row: dict[str, Any], other: dict[str, Any]) -> None:
    assert (distinguishing_key(row) == distinguishing_key(other)) is (not distinguishing_differences(row, other))
    assert {each.field for each in distinguishing_differences(row, other)} <= set(DISTINGUISHING_FIELDS)


@pytest.mark.parametrize(
    ("stored", "given_place", "expected"),
    [
        ({"city": "A"}, {"city": "B"}, True),
        ({"city": "A"}, {"city": " a"}, False),
        ({"city": "A"}, {}, False),
        ({}, {"city": "A"}, False),
        ({}, {}, False),
        ({"city": "A", "state": "X"}, {"city": "A", "state": "Y"}, True),
        ({"city": "A", "state": "X"}, {"city": "A", "postal_code": "1"}, False),
        ({"address": "1 Main"}, {"address": "2 Oak"}, False),
        ({"location": at(1, 2)}, {"location": at(1.001, 2.001)}, False),
        ({"location": at(1, 2)}, {"location": at(1, 2.5)}, True),
        ({"location": at(179.999, 2)}, {"location": at(-179.999, 2)}, False),
        ({"location": at(1, 2)}, {}, False),
        # The written place decides: one building may have two measured positions.
        ({"city": "A", "location": at(1, 2)}, {"city": "A", "location": at(3, 4)}, False),
        ({"city": "A", "location": at(1, 2)}, {"location": at(3, 4)}, True),
    ],
)
def test_a_conflict_needs_another_name_and_another_place(
    stored: dict[str, Any], given_place: dict[str, Any], expected: bool
) -> None:
    hospital = {"hospital_name": "Mercy", **stored}
    assert is_conflict(hospital, {"hospital_name": "Angel", **given_place}) is expected
    assert is_conflict({"hospital_name": "Angel", **given_place}, hospital) is expected
    assert not is_conflict(hospital, {"hospital_name": "MERCY", **given_place})


STORED: dict[str, Any] = {
    "_id": "cms:1", "hospital_name": "Mercy", "hospital_type": "single", "source": "cms", "external_id": "1",
    "city": "Boaz", "beds": 1, "attributes": {"a": 1, "x": 2}, "observed_at": AT, "status": "partial",
}  # fmt: skip


@pytest.mark.parametrize(
    ("known", "merging", "replacing"),
    [
        ({"city": "Boaz", "beds": 1, "attributes": {"x": 2, "a": 1}}, [], []),
        ({}, [], ["city", "beds", "attributes.a", "attributes.x"]),
        ({"beds": 1.0, "city": "Boaz", "attributes": {"a": 1.0, "x": 2}}, [], []),
        ({"beds": 2}, ["beds"], ["city", "beds", "attributes.a", "attributes.x"]),
        ({"beds": True, "city": "Boaz", "attributes": {"a": 1, "x": 2}}, ["beds"], ["beds"]),
        ({"city": "BOAZ"}, ["city"], ["city", "beds", "attributes.a", "attributes.x"]),
        ({"attributes": {"a": True, "b": 1}}, ["attributes.a", "attributes.b"], None),
        ({"hospital_type": "multi", "phone": "1"}, ["hospital_type", "phone"], None),
        ({"observed_at": datetime(2026, 1, 1, tzinfo=UTC)}, [], None),
    ],
)
def test_content_differs_where_an_ingest_would_change_it(
    known: dict[str, Any], merging: list[str], replacing: list[str] | None
) -> None:
    given_fields = {"hospital_name": "Mercy", "source": "cms", "external_id": "1", **known}
    assert [each.field for each in content_differences(STORED, given_fields)] == merging
    if replacing is not None:
        assert [each.field for each in content_differences(STORED, given_fields, whole=True)] == replacing


@pytest.mark.parametrize(
    ("known", "unread", "replacing"),
    [
        ({"city": "Boaz", "attributes": {"a": 1, "x": 2}}, {"beds"}, []),
        ({"beds": 1, "city": "Boaz", "attributes": {"a": 1}}, {"attributes.x"}, []),
        ({"beds": 1, "city": "Boaz", "attributes": {"a": 3}}, {"attributes.x"}, ["attributes.a"]),
        ({"beds": 1, "city": "Boaz"}, {"attributes"}, []),
        ({"beds": 1, "city": "Boaz"}, {"attributes.x"}, ["attributes.a"]),
        ({}, {"phone"}, ["city", "beds", "attributes.a", "attributes.x"]),
    ],
)
def test_a_replacement_changes_nothing_of_what_could_not_be_read(
    known: dict[str, Any], unread: set[str], replacing: list[str]
) -> None:
    given_fields = {"hospital_name": "Mercy", "source": "cms", "external_id": "1", **known}
    found = content_differences(STORED, given_fields, whole=True, unread=unread)
    assert [each.field for each in found] == replacing


def test_a_replacing_row_repeats_one_of_which_it_lacks_what_could_not_be_read() -> None:
    holder = {"hospital_name": "Mercy", "city": "A", "beds": 1, "attributes": {"a": 1}}
    row = {"hospital_name": "Mercy", "city": "A"}
    assert [it.field for it in collision_differences(holder, row, whole=True)] == ["beds", "attributes.a"]
    unread = {"beds", "attributes.a"}
    assert collision_differences(holder, row, whole=True, unread=unread) == []
    assert collision_differences({**holder, "phone": "1"}, row, whole=True, unread=unread) != []


def test_a_difference_has_both_values() -> None:
    (beds, phone) = content_differences(STORED, {"hospital_name": "Mercy", "beds": 7, "phone": "1"})[::-1]
    assert (beds, phone) == (("beds", 1, 7), ("phone", None, "1"))
