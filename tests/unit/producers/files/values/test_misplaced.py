from collections.abc import Sequence

import pytest

from producers.files.values import RowReader, ValueWishes, choose_readers
from producers.files.values.misplaced import IS_NUMBER, NumberStyle, number_style
from tests.support.columns import Column, Mapped, Row

NAMES = ["Rome", "Alba", "New York", "서울", "A Coruña"] * 8


@pytest.mark.parametrize(
    ("cells", "style"),
    [
        (NAMES, "left out"),
        ([*NAMES, *["28001"] * 5], "left out"),
        ([*NAMES, *[28001] * 5], "left out"),
        ([*NAMES, *["28001"] * 20], "noted"),
        ([*NAMES, *["28001"] * 40], "kept"),
        (["1109", "1102", "1103"], "kept"),
        (["01", "2A", "2B", "06"] * 10, "kept"),
        # Names with numbers of their own, beside which a number alone may be one of them.
        (["Comuna 1", "Comuna 2", "Comuna 10"] * 20, "noted"),
        (["Rome", "Alba", "7"], "noted"),
        ([*NAMES, *["-999", "-", "NA"] * 30], "left out"),
        ([], "kept"),
    ],
)
def test_a_column_shows_what_becomes_of_numbers(cells: Sequence[object], style: NumberStyle) -> None:
    assert number_style(cells) == style


def reader(field: str, cells: Sequence[object], **settings: str) -> RowReader:
    mapped = [Mapped("hospital_name", ("n",)), Mapped(field, ("p",))]
    readers = choose_readers(mapped, {"p": Column(cells)}, ValueWishes(settings=settings))
    return RowReader(mapped, readers)


@pytest.mark.parametrize("field", ["city", "county", "state", "country"])
def test_a_number_in_a_column_of_names_is_left_out_and_reported(field: str) -> None:
    rows = reader(field, NAMES)
    row = rows.read(Row({"n": "A", "p": "28001"}))
    assert [(it.field, it.column, it.value, it.reason) for it in row.left_out] == [(field, "p", "28001", IS_NUMBER)]
    assert row.record is not None
    assert getattr(row.record, field) is None
    for name in ("Rome", "29 Palms", "6th of October City", "Paris 12"):
        row = rows.read(Row({"n": "A", "p": name}))
        assert row.record is not None
        assert (getattr(row.record, field), row.left_out) == (name, ())
    assert rows.notes() == []


def test_numbers_that_may_be_right_stay_and_are_noted() -> None:
    rows = reader("city", [*NAMES, *["28001"] * 20])
    for line, cell in enumerate(("Rome", "28001", "15146"), 2):
        row = rows.read(Row({"n": "A", "p": cell}, line))
        assert row.record is not None
        assert (row.record.city, row.left_out) == (cell, ())
    (note,) = rows.notes()
    assert note.startswith("city: 2 cells are numbers, unlike the others (first: '28001', line 3)")


def test_numbers_as_codes_stay_without_a_note() -> None:
    rows = reader("county", ["1109", "1102", "Aveda"])
    row = rows.read(Row({"n": "A", "p": "1109"}))
    assert row.record is not None
    assert (row.record.county, row.left_out, rows.notes()) == ("1109", (), [])


def test_the_number_in_a_name_of_a_hospital_is_a_name() -> None:
    mapped = [Mapped("hospital_name", ("n",))]
    rows = RowReader(mapped, choose_readers(mapped, {"n": Column(NAMES)}, ValueWishes()))
    row = rows.read(Row({"n": "302"}))
    assert row.record is not None
    assert row.record.hospital_name == "302"


def test_a_profile_says_what_becomes_of_numbers() -> None:
    mapped = [Mapped("city", ("p",))]
    first = choose_readers(mapped, {"p": Column(NAMES)}, ValueWishes())
    assert first.settings["city.numbers"] == "left out"
    assert choose_readers(mapped, {}, ValueWishes(settings=first.settings)).numbers == {"city": "left out"}
    rows = reader("city", NAMES, **{"city.numbers": "kept"})
    row = rows.read(Row({"n": "A", "p": "1770"}))
    assert row.record is not None
    assert row.record.city == "1770"
