from datetime import UTC, datetime
from typing import Any

import pytest

from worker.contract import OnExisting
from worker.mongo.fates import find_fate

EARLY, LATE = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
STORED: dict[str, Any] = {
    "hospital_name": "Mercy", "hospital_type": "single", "city": "Boaz", "beds": 1, "status": "partial",
    "revision": 7, "created_by_job": "other",
}  # fmt: skip
SAME = {"hospital_name": "Mercy", "city": "Boaz", "beds": 1}
DIFFERS = {**SAME, "beds": 2}
OTHER = {"hospital_name": "Angel", "city": "Dothan", "beds": 2}
REGISTERED = {"status": "registered"}
OBSERVED = {"observed_at": LATE}


def applied(record: int, revision: int) -> dict[str, Any]:
    return {"applied_jobs": [{"job": "job", "record": record, "revision": revision}]}


@pytest.mark.parametrize(
    ("stored", "known", "options", "expected"),
    [
        ({"created_by_job": "job"}, DIFFERS, {}, ("created", 1)),
        ({"created_by_job": "job"}, SAME, {"repeats": True}, ("same", 7)),
        ({"import": "i:2"}, DIFFERS, {"origin": "i:2"}, ("created", 1)),
        ({"import": "i:3"}, SAME, {"origin": "i:2"}, ("same", 7)),
        (applied(0, 5), OTHER, {}, ("changed", 5)),
        (applied(3, 5), OTHER, {"position": 3}, ("changed", 5)),
        ({}, SAME, {}, ("same", 7)),
        (REGISTERED, SAME, {}, ("same", 7)),
        (OBSERVED, {**SAME, "observed_at": EARLY}, {}, ("same", 7)),
        ({}, DIFFERS, {}, "kept or not applied"),
        ({}, {**DIFFERS, "observed_at": EARLY}, {}, "kept or not applied"),
        (OBSERVED, DIFFERS, {}, "kept or not applied"),
        (OBSERVED, {**DIFFERS, "observed_at": LATE}, {}, "kept or not applied"),
        (OBSERVED, {**DIFFERS, "observed_at": EARLY}, {}, ("newer_stored", 7)),
        (REGISTERED, DIFFERS, {}, ("registered", 7)),
        (REGISTERED | OBSERVED, {**DIFFERS, "observed_at": EARLY}, {}, ("registered", 7)),
        ({}, OTHER, {}, ("conflict", 7)),
        (REGISTERED, OTHER, {}, ("conflict", 7)),
        (OBSERVED, {**OTHER, "observed_at": EARLY}, {}, ("conflict", 7)),
    ],
)
@pytest.mark.parametrize("on_existing", ["keep", "merge", "replace"])
def test_the_first_reason_that_holds_decides(
    stored: dict[str, Any], known: dict[str, Any], options: dict[str, Any], expected: Any, on_existing: OnExisting
) -> None:
    fate = find_fate({**STORED, **stored}, known, on_existing, "job", **options)
    changed = "replaced" if on_existing == "replace" else "merged"
    if expected == "kept or not applied":
        assert fate == (("kept", 7) if on_existing == "keep" else None)
    else:
        status, revision = expected
        assert fate == (changed if status == "changed" else status, revision)


def test_a_row_is_the_same_if_a_later_row_of_its_chunk_was_applied_and_it_left_no_trace() -> None:
    assert find_fate({**STORED, **applied(4, 8)}, DIFFERS, "merge", "job", position=2) == ("same", 7)
    assert find_fate({**STORED, **applied(4, 8)}, DIFFERS, "merge", "job", position=5) is None
    assert find_fate({**STORED, **applied(4, 8)}, DIFFERS, "merge", "another job", position=2) is None


def test_a_replacement_is_the_same_only_if_nothing_else_is_stored() -> None:
    fewer = {"hospital_name": "Mercy", "city": "Boaz"}
    assert find_fate(STORED, fewer, "merge", "job") == ("same", 7)
    assert find_fate(STORED, fewer, "replace", "job") is None
    assert find_fate({**STORED, **REGISTERED}, fewer, "replace", "job") == ("registered", 7)
