from datetime import UTC, datetime
from typing import Any

import pytest

from worker.contract import HospitalChanges
from worker.contract.validation import parse
from worker.mongo.documents import (
    applied_revision,
    changed_hospital,
    merge_changes_nothing,
    merged_hospital,
    now,
    split_changes,
)

AT = datetime(2025, 6, 30, tzinfo=UTC)


def test_a_merge_does_not_modify_its_arguments() -> None:
    current = {"_id": "a", "revision": 1, "attributes": {"a": 1}}
    known = {"attributes": {"b": 2}}
    assert merged_hospital(current, known, at=AT) == {
        "_id": "a",
        "revision": 2,
        "attributes": {"a": 1, "b": 2},
        "updated_at": AT,
    }
    assert (current["attributes"], known) == ({"a": 1}, {"attributes": {"b": 2}})


def test_changes_are_split_into_new_values_and_cleared_fields() -> None:
    given = {"city": None, "beds": 0, "location": {"coordinates": [1, 2]}}
    values, cleared = split_changes(parse(HospitalChanges, given))
    assert values == {"beds": 0, "location": {"type": "Point", "coordinates": [1.0, 2.0]}}
    assert cleared == ["city"]


def test_clearing_an_absent_field_leaves_it_absent() -> None:
    changes = parse(HospitalChanges, {"city": None})
    changed = changed_hospital({"_id": "a", "revision": 1}, changes, at=AT)
    assert changed == {"_id": "a", "revision": 2, "updated_at": AT}


@pytest.mark.parametrize(
    ("known", "changes_nothing"),
    [
        ({}, True),
        ({"beds": 1}, True),
        ({"beds": 1, "attributes": {"a": 1}}, True),
        ({"beds": 2}, False),
        ({"beds": True}, False),
        ({"city": "A"}, False),
        ({"attributes": {"a": True}}, False),
        ({"attributes": {"b": 1}}, False),
    ],
)
def test_a_merge_that_changes_nothing_is_detected(known: dict[str, Any], changes_nothing: bool) -> None:
    assert merge_changes_nothing({"beds": 1, "attributes": {"a": 1, "x": 2}}, known) is changes_nothing


def test_applied_revision_is_found_by_job_and_record() -> None:
    hospital = {"applied_jobs": [{"job": "a", "record": 3, "revision": 7}]}
    assert applied_revision(hospital, "a", 3) == 7
    assert applied_revision(hospital, "a") is None
    assert applied_revision({}, "a") is None


def test_now_has_whole_milliseconds() -> None:
    assert all(now().microsecond % 1_000 == 0 for _ in range(20))
