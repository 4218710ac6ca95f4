# ruff: noqa: RUF001  (cells in many scripts)

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.values import MISSING, RowReader, ValueWishes, choose_readers
from producers.files.values.numbers import ascii_digits
from tests.support.columns import Column, Mapped, Row, notes_of, read_column

SIGN = "!may have a thousands separator or a decimal sign"
NO = "!is not a number"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("120", 120), (" 120 ", 120), ("0", 0), ("0120", 120), ("+12", 12), ("120.0", 120), ("120,0", 120),
        ("120.00", 120),
        ("１２０", 120), ("١٢٠", 120), ("१२०", 120), ("120 beds", 120), ("120 camas", 120), ("120床", 120),
        ("120 张床", 120),
        ("120 Betten", 120), ("120 łóżek", 120), ("120 мест", 120), ("120 yatak", 120), ("120병상", 120),
        ("(120)", NO),
        ("ca. 50", 50), ("~50", 50), ("approx 50 beds", 50), ("約50床", 50), ("около 50", 50),
        ("1 234", 1234), ("1\xa0234", 1234), ("1\u202f234", 1234), ("1'234", 1234), ("1’234", 1234),
        ("1.234.567", 1234567),
        ("50 100", "!may be several numbers"), ("1.234", SIGN), ("1,234", SIGN),
        ("120.5", "!is not a whole number"),
        ("1.42E+02", 142), ("1.2E+05", "!is a number that a spreadsheet has rounded, such as 1.2E+05"),
        ("1.5e2", "!is a"),
        ("-5", "!is negative"), ("-1", MISSING), ("-999", MISSING), ("-999.0", MISSING), ("-9999", MISSING),
        ("9999", MISSING),
        ("NA", MISSING), ("null", MISSING), ("\\N", MISSING), ("-", MISSING), ("不明", MISSING),
        ("none", MISSING), ("", MISSING),
        ("many", NO), ("50-60", NO), ("50+", NO), ("120 nurses", NO), ("12 34", NO), ("1.2.3", NO),
        ("0.123", "!is not a whole"),
        ("9" * 400, NO), ("1,2,3", NO), ("12,34.5", NO),
        (120, 120), (120.0, 120), (Decimal("120.0"), 120), (-999.0, MISSING), (float("nan"), MISSING),
        (None, MISSING),
        (120.5, "!is not a whole number"), (float("inf"), NO), (True, "!is yes or no, not a number"), ([120], NO),
        (Decimal("NaN"), MISSING), (-7, "!is negative"),
    ],
)  # fmt: skip
def test_a_number_of_beds_is_read_without_evidence(cell: object, value: Any) -> None:
    (found,) = read_column("beds", [cell])
    if isinstance(value, str):
        assert isinstance(found, str)
        assert found.startswith(value)
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("320 (12 ICU)", 320), ("320(12)", 320), ("120 (davon 8 ITS)", 120), ("120 beds (30 ICU beds)", 120),
        ("120 [30]", 120), ("120（ICU 8）", 120), ("1 234 (60)", 1234), ("120 (120 functional)", 120),
        # What is in brackets is not part of it, or may be added to it.
        ("120 (130)", NO), ("120 (2019)", NO), ("120 (+30)", NO), ("120 (50%)", NO), ("120 (ICU)", NO),
        ("120 (10-20)", NO), ("120 (10 + 20)", NO), ("(30) 120", NO), ("120 (30) 40", NO), ("120 nurses (30)", NO),
    ],
)  # fmt: skip
def test_a_part_in_brackets_is_left_out_of_the_number_of_beds(cell: str, value: object) -> None:
    assert read_column("beds", [cell]) == [value]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("200*", 200), ("200 **", 200), ("1 234†", 1234), ("200¹", 200), ("200***", 200),
        ("200****", NO), ("200*3", NO), ("*200", NO), ("ten*", NO),
    ],
)  # fmt: skip
def test_a_footnote_mark_behind_a_number_is_left_out(cell: str, value: object) -> None:
    assert read_column("beds", [cell]) == [value]


def test_how_often_a_part_is_left_out_is_noted() -> None:
    rows = [{"name": f"Oak {beds}", "beds": beds} for beds in ("320 (12 ICU)", "1.538 (96)", "410")]
    mapped = [Mapped("hospital_name", ("name",)), Mapped("beds", ("beds",))]
    statistics = {it: Column([row[it] for row in rows]) for it in ("name", "beds")}
    reader = RowReader(mapped, choose_readers(mapped, statistics, ValueWishes()))
    # The numbers in front show how thousands are written.
    records = [reader.read(Row(row)).known or {} for row in rows]
    assert [record["beds"] for record in records] == [320, 1538, 410]
    assert reader.notes() == ["beds: a smaller number in brackets, as a part of the whole, is left out (2 cells)"]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["120", "1,234"], [120, 1234]),
        (["120", "1.234"], [120, 1234]),
        (["1.234", "1.000"], [SIGN, SIGN]),
        (["120", "1,234", "1234"], [120, SIGN, 1234]),
        (["120", "1.234", "2,345"], [120, SIGN, SIGN]),
        (["120.0", "1,234"], [120, 1234]),
        (["120,0", "1.234"], [120, 1234]),
        (["120,0", "1,234"], [120, "!is not a whole number"]),
        (["120.0", "1.000"], [120, 1]),
        (["1,234.0", "1,500"], [1234, 1500]),
        (["1.234,0", "1.500"], [1234, 1500]),
        (["1,234,567", "1,500"], [1234567, 1500]),
        (["1.234.567", "1,500"], [1234567, "!is not a whole number"]),
        (["1 234", "1 500"], [1234, 1500]),
        (["120 beds", "1,234 beds"], [120, 1234]),
    ],
)
def test_the_thousands_separator_is_decided_by_the_column(cells: list[object], values: list[object]) -> None:
    found = read_column("beds", cells)
    assert found == values


def test_an_undecided_separator_is_reported_once() -> None:
    note = notes_of("beds", ["1.234", "2.345"])
    assert "cannot be seen from the column" in note
    assert "a profile (inspect --save) says it with beds.thousands" in note
    assert notes_of("beds", ["120", "1.234"]) == ""


def test_a_profile_decides_the_separator() -> None:
    assert read_column("beds", ["1.234"], ValueWishes(settings={"beds.thousands": "."})) == [1234]


@given(
    st.lists(st.integers(0, 9998), min_size=1, max_size=30),
    st.sampled_from(["", ",", ".", " ", "'", "\xa0", "\u202f"]),
    st.sampled_from(["", ".0", ",0", ".00"]),
    st.sampled_from(["", " beds", "床", " Betten"]),
    st.sampled_from(["0123456789", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९"]),
)
def test_a_number_is_read_as_it_was_written_or_not_at_all(
    numbers: list[int], thousands: str, decimals: str, unit: str, digits: str
) -> None:
    if decimals[:1] == thousands and thousands:
        decimals = ""
    cells = [
        f"{number:,}".replace(",", thousands).translate(str.maketrans("0123456789", digits)) + decimals + unit
        for number in numbers
    ]
    for number, found in zip(numbers, read_column("beds", cells), strict=True):
        assert found == number or isinstance(found, str)


def test_digits_and_signs_of_other_scripts_become_ascii() -> None:
    assert ascii_digits("－１２，３４ ٫٥ ½²") == "-12,34 .5 ½²"
