"""A list in any dialect is loaded as it is true, or says what it leaves out, or is refused for an option."""

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings

from producers.files import FileError, FileRow, HospitalFile
from producers.files.rows.groups import MAY_BE_ELSEWHERE
from producers.files.rows.lone_names import ALONE
from producers.files.table import COLLISION
from tests.support.lists.generated import SOURCE, GeneratedList, generated_lists
from tests.support.lists.hospitals import Facts

# Half a minute of CPU, the same lists in each run. FUZZ_LISTS=60000 takes half an hour, with new ones.
LISTS = int(os.environ.get("FUZZ_LISTS", "1000"))
SAME_LISTS = "FUZZ_LISTS" not in os.environ
PLACE = ("hospital_name", "city", "state", "postal_code")
MOST_REFUSED, MOST_COLUMNS_LEFT_OUT, MOST_CELLS_LEFT_OUT, MOST_KEPT_APART = 0.25, 0.02, 0.1, 0.05


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists") / "list"


def test_a_list_is_loaded_as_it_is_true_or_says_what_it_leaves_out(path: Path) -> None:
    counts: Counter[str] = Counter()

    @given(generated_lists())
    @settings(
        max_examples=LISTS,
        derandomize=SAME_LISTS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def check(generated: GeneratedList) -> None:
        note(generated.about)
        path.write_bytes(generated.data)
        check_list(path, generated, counts)

    check()
    for option in ("--encoding", "--no-header", "--skip-rows"):
        assert counts[f"needs {option}"] <= MOST_REFUSED * counts[f"may need {option}"], counts
    assert counts["columns left out"] <= MOST_COLUMNS_LEFT_OUT * counts["columns"]
    assert counts["cells left out"] <= MOST_CELLS_LEFT_OUT * counts["cells"]
    assert counts["kept apart"] <= MOST_KEPT_APART * counts["rows"], counts


def check_list(path: Path, generated: GeneratedList, counts: Counter[str]) -> None:
    """Load the list and compare each of its rows; `counts` what is refused and left out."""
    file = opened(path, generated, counts)
    rows = list(file.rows())
    assert len(rows) == len(generated.truth), file.dialect
    # An object in JSON is several columns.
    used = {column.removesuffix(".lat") for mapped in file.columns.mapped for column in mapped.columns}
    unread = {field for field, column in generated.columns.items() if column not in used}
    counts["columns"] += len(generated.columns)
    # An empty column is not used either, and a file of records without a position has no column for it.
    counts["columns left out"] += sum(
        any(expected(facts).get(field) is not None for facts in generated.truth) for field in unread
    )
    lost = {generated.columns[field] for field in unread if any(expected(it).get(field) for it in generated.truth)}
    assert lost <= {column.removesuffix(".lat") for column in file.columns.left_out}
    places: set[tuple[Any, ...]] = set()
    for row, facts in zip(rows, generated.truth, strict=True):
        missing = unread | {it.field for it in row.left_out}
        place = tuple(facts[field] if field not in missing else None for field in PLACE)
        counts["rows"] += 1
        if row.record is None and row.reasons[0].startswith((COLLISION, MAY_BE_ELSEWHERE)):
            # It may be the hospital of an earlier row, and may not, so it is kept in the rejects.
            assert place in places, (place, row.reasons)
            counts["kept apart"] += 1
        elif row.record is None and row.reasons == (ALONE,):
            # Nothing but a name may be a section of the list, so it is kept in the rejects.
            assert sum(value not in (None, "") for value in row.fields.values()) == 1
            counts["kept apart"] += 1
        else:
            compare(row, facts, unread, counts)
        places.add(place)


def opened(path: Path, generated: GeneratedList, counts: Counter[str]) -> HospitalFile:
    """Open the list. If it is refused in one line that names an option, say what is right and open it again."""
    wishes, answers = generated.wishes, dict(generated.answers)
    counts.update(f"may need {option}" for option in answers)
    while True:
        try:
            return HospitalFile.open(path, wishes)
        except FileError as error:
            message = str(error)
        option = next((option for option in answers if option in message), None)
        assert option is not None, message
        assert len(message.splitlines()) == 1
        counts[f"needs {option}"] += 1
        wishes = replace(wishes, reading=replace(wishes.reading, **answers.pop(option)))


def compare(row: FileRow, facts: Facts, unread: set[str], counts: Counter[str]) -> None:
    """Check that each field of a row is as it is true, or that the row says that it is left out.

    `unread` are the fields whose columns are left out as a whole, which the file says.
    """
    if facts["hospital_name"] is None:
        assert row.record is None
        (reason,) = row.reasons
        assert reason.startswith("hospital_name: is missing")
        return
    assert row.record is not None, row.reasons
    reported = {it.field for it in row.left_out} | unread
    if not reported.isdisjoint(("latitude", "longitude")):
        reported.add("location")
    found = row.record.model_dump(exclude={"source", "hospital_type", "attributes"})
    wanted = expected(facts)
    # Without a source or in doubt, the identifier only tells rows apart.
    found["external_id"] = found.pop("local_id") or found["external_id"]
    counts["cells"] += sum(value is not None for value in wanted.values())
    for field, value in wanted.items():
        if field in reported and found[field] is None:
            counts["cells left out"] += value is not None
            continue
        assert found[field] == value, (field, found[field], value)
    assert found.keys() == wanted.keys()
    assert row.record.source == SOURCE


def expected(facts: Facts) -> dict[str, Any]:
    """Return the fields of the record that has these facts and no others."""
    wanted = {field: value for field, value in facts.items() if field not in ("latitude", "longitude")}
    known = facts["latitude"] is not None
    wanted["location"] = (
        {"type": "Point", "coordinates": (facts["longitude"], facts["latitude"])} if known else None
    )
    day = facts["observed_at"]
    wanted["observed_at"] = None if day is None else datetime.combine(day, time(), UTC)
    return wanted | {"country": None}
