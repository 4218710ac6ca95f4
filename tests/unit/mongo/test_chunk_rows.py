from typing import Any

import pytest

from worker.contract import OnExisting, Rejection
from worker.contract.known import Known, parse_known
from worker.mongo.chunk_rows import Row, find_claims, held_in_chunk, row_changed, rows_of
from worker.mongo.memory import Remembered


def records(*fields: dict[str, Any]) -> list[Known | Rejection]:
    return [parse_known({"hospital_name": "M", "source": "s", "external_id": "1"} | each) for each in fields]


async def rows(*fields: dict[str, Any], on_existing: OnExisting = "keep", import_id: str | None = "i") -> list[Row]:
    return await rows_of(records(*fields), on_existing, import_id, list(range(2, 2 + len(fields))), {})


def stored(**fields: Any) -> dict[str, Any]:
    return {"_id": "s:1", "hospital_name": "M", "created_by_job": "other", "revision": 1, **fields}


async def test_rows_know_their_line_and_whether_they_repeat_or_add_nothing() -> None:
    found = await rows_of(
        [
            *records({"city": "A", "beds": 1}),
            Rejection(index=1, problems=["x"]),
            *records({"city": "B"}, {"city": " a"}, {"city": "A", "beds": 1}, {"city": "B"}, {"external_id": "2"}),
        ],
        "keep",
        "i",
        [2, 3, 4, 5, 6, 7, 8],
        {},
    )
    assert [(row.position, row.line, row.repeats, row.same_as) for row in found] == [
        (0, 2, False, None),
        (2, 4, True, None),
        (3, 5, True, None),
        (4, 6, True, None),
        (5, 7, True, 2),
        (6, 8, False, None),
    ]
    assert found[0].origin == "i:2"


@pytest.mark.parametrize(("on_existing", "same_as"), [("keep", 0), ("merge", 0), ("replace", None)])
async def test_a_row_that_knows_less_adds_nothing_unless_it_replaces(
    on_existing: OnExisting, same_as: int | None
) -> None:
    found = await rows({"city": "A", "beds": 1}, {"city": "A"}, on_existing=on_existing)
    assert found[1].same_as == same_as


async def test_a_replacing_row_adds_nothing_if_what_it_lacks_could_not_be_read() -> None:
    given = records({"city": "A", "beds": 1}, {"city": "A"}, {"city": "A"})
    found = await rows_of(given, "replace", "i", [2, 3, 4], {1: {"beds"}, 2: {"phone"}})
    assert [row.same_as for row in found] == [None, 0, None]


async def test_without_an_import_rows_have_lines_but_no_origin() -> None:
    (row,) = await rows({}, import_id=None)
    assert (row.line, row.origin) == (2, None)
    (row,) = await rows_of(records({}), "keep", None, None, {})
    assert (row.line, row.origin) == (None, None)


async def test_a_repetition_does_not_collide_and_another_hospital_does() -> None:
    one, other, again = await rows({"city": "A"}, {"city": "B"}, {"city": "a", "beds": 4})
    holder = held_in_chunk({"s:1": one})["s:1"]
    assert [holder.collides_with(row) for row in (one, other, again)] == [False, True, False]


@pytest.mark.parametrize(
    ("hospital", "remembered", "import_id", "held", "opened"),
    [
        # Absent before, and inserted from the first row.
        (stored(created_by_job="job"), {}, "i", 2, None),
        (stored(created_by_job="job"), {}, None, 2, None),
        # Created by an earlier delivery, and removed since.
        (None, {"s:1": Remembered({0: 1}, None)}, "i", 2, None),
        # Created by another chunk of the same import, or of another one.
        (stored(city="B", **{"import": "i:77"}), {}, "i", 77, None),
        (stored(city="B", **{"import": "j:77"}), {}, "i", None, 0),
        # Stored before the import.
        (stored(city="Z"), {}, "i", None, 0),
        (stored(city="Z"), {}, None, None, 0),
        # The first row is in conflict with the stored hospital; the second fits.
        (stored(hospital_name="N", city="B"), {}, "i", None, 1),
        # The second was applied by an earlier delivery: in the hospital's list, or in the memory.
        (stored(city="B", applied_jobs=[{"job": "job", "record": 1, "revision": 2}]), {}, "i", None, 1),
        (stored(city="B"), {"s:1": Remembered({1: 2}, None)}, "i", None, 1),
        # Neither fits.
        (stored(hospital_name="N", city="Z"), {}, "i", None, None),
    ],
)
async def test_who_has_an_identity(
    hospital: Any, remembered: dict[str, Remembered], import_id: str | None, held: int | None, opened: int | None
) -> None:
    its_rows = await rows({"city": "A"}, {"hospital_name": "M" if opened != 1 else "N", "city": "B"})
    existing = {} if hospital is None else {"s:1": hospital}
    claims = find_claims(its_rows, existing, remembered, "job", () if import_id is None else (import_id, "earlier"))
    assert {key: holder.line for key, holder in claims.held.items()} == ({} if held is None else {"s:1": held})
    assert {key: row.position for key, row in claims.open.items()} == ({} if opened is None else {"s:1": opened})


async def test_a_row_has_changed_its_hospital_if_a_trace_of_it_is_left() -> None:
    first, second = await rows({"city": "A"}, {"city": "B"})
    created = stored(created_by_job="job")
    assert row_changed(first, created, {}, "job")
    assert not row_changed(second, created, {}, "job")
    assert not row_changed(first, stored(), {}, "job")
    assert row_changed(first, None, {"s:1": Remembered({0: 1}, None)}, "job")
    assert row_changed(second, None, {"s:1": Remembered({1: 4}, None)}, "job")
    assert row_changed(second, stored(applied_jobs=[{"job": "job", "record": 1, "revision": 2}]), {}, "job")
