"""Totals whose word nobody knows, and hospitals of which little is known."""

from pathlib import Path

import pytest

from producers.files.rows.unknown_totals import MAY_BE_A_TOTAL
from tests.support.rejected_rows import write_profile_beside
from tests.support.written_lists import opened, rejected

HEADER = "Code;Name;City;Beds;Doctors"
ROWS = [f"K{number};Oak {number};Aveda {number};{number * 5};{number}" for number in range(10, 22)]
BEDS, DOCTORS = sum(number * 5 for number in range(10, 22)), sum(range(10, 22))


@pytest.mark.parametrize(
    "line",
    [
        f";Zusumma;;{BEDS};{DOCTORS}",
        f"Zusumma;;;{BEDS};{DOCTORS}",
        f";Zusumma;;{BEDS};",
        # It is not a sum, but lacks what all others have.
        ";Zusumma;;1;2",
        ";Zusumma;;;12",
        f";Zusumma Hospital;;{BEDS - 1};{DOCTORS}",
    ],
)
def test_a_total_in_a_language_that_is_not_known_is_rejected(tmp_path: Path, line: str) -> None:
    file = opened(tmp_path, HEADER, *ROWS, line)
    assert rejected(file) == {len(ROWS) + 2: MAY_BE_A_TOTAL}
    # It costs the list neither its identifier nor a row of its statistics.
    assert file.columns.columns_of("external_id") == ("Code",)
    assert file.statistics["Name"].rows == len(ROWS)


def test_totals_of_groups_are_rejected(tmp_path: Path) -> None:
    lines = [
        *(*ROWS[:5], f";Zusumma;;{sum(n * 5 for n in range(10, 15))};{sum(range(10, 15))}"),
        *(*ROWS[5:], f";Zusumma;;{sum(n * 5 for n in range(15, 22))};{sum(range(15, 22))}"),
        f";Allsumma;;{BEDS};{DOCTORS}",
    ]
    file = opened(tmp_path, HEADER, *lines)
    assert rejected(file) == dict.fromkeys((7, 15, 16), MAY_BE_A_TOTAL)
    assert file.columns.columns_of("external_id") == ("Code",)


def test_a_total_at_the_end_that_is_no_sum_hides_no_other(tmp_path: Path) -> None:
    lines = [
        *(*ROWS[:5], f";Zusumma;;{sum(n * 5 for n in range(10, 15))};{sum(range(10, 15))}"),
        *(*ROWS[5:], f";Zusumma;;{sum(n * 5 for n in range(15, 22))};{sum(range(15, 22))}"),
        f";Allsumma;;{BEDS - 1};{DOCTORS - 1}",
    ]
    assert rejected(opened(tmp_path, HEADER, *lines)) == dict.fromkeys((7, 15, 16), MAY_BE_A_TOTAL)


@pytest.mark.parametrize(
    ("header", "row", "last"),
    [
        ("Name;City;Beds", "Oak {0};Aveda {0};{0}", "Zusumma;;186"),
        ("Name;City;Beds", "Oak {0};Aveda {0};{0}", "Zusumma;;190"),
        ("Name;City;Beds", "Oak {0};Aveda {0};{0}", "Zusumma;;12"),
        ("Nr;Name", "{0};Oak {0}", ";Zusumma"),
        ("Nr;Name;Beds", "{0};Oak {0};{0}", ";Zusumma;186"),
    ],
)
def test_tables_without_a_code_have_totals_too(tmp_path: Path, header: str, row: str, last: str) -> None:
    rows = [row.format(number) for number in range(10, 22)]
    assert rejected(opened(tmp_path, header, *rows, last)) == {len(rows) + 2: MAY_BE_A_TOTAL}


@pytest.mark.parametrize(
    "lines",
    [
        # Another row lacks a code as well.
        [";Ash;Brusk;20;4", ";Elm;;30;5"],
        [";Elm;;30;5", ";Ash;;20;4"],
        # It has another text, a place or a telephone number.
        [";Elm;Brusk;9000;"],
        ["K30;Elm;;1;"],
        ["K30;Elm Hospital;;9000;"],
        # It is not at the end, and no sum.
        [";Elm;;31;5", *ROWS[:1]],
    ],
)
def test_hospitals_of_which_little_is_known_are_loaded(tmp_path: Path, lines: list[str]) -> None:
    assert rejected(opened(tmp_path, HEADER, *ROWS, *lines)) == {}


def test_a_hospital_may_have_as_many_beds_as_those_above(tmp_path: Path) -> None:
    rows = ["Oak;Rome;10", "Elm;;20", "Ash;;30", "Fir;Pisa;40"]
    assert rejected(opened(tmp_path, "Name;City;Beds", *rows)) == {}


@pytest.mark.parametrize(
    ("header", "row", "last"),
    [
        ("Name;City;Phone", "Oak {0};Aveda;06 {0} 12 34", "Elm;;06 11 22 33"),
        ("Name;City;lat;lon", "Oak {0};Aveda;45.{0};7.{0}", "Elm;;46.99;8.99"),
        ("Name;Beds", "Oak {0};{0}", "Elm;"),
        ("Name;Beds", "Oak {0};{0}", "Elm;900"),
        ("Nr;Name", "{0};Oak {0}", "30;Elm"),
    ],
)
def test_hospitals_at_the_end_are_loaded(tmp_path: Path, header: str, row: str, last: str) -> None:
    rows = [row.format(number) for number in range(10, 22)]
    assert rejected(opened(tmp_path, header, *rows, last)) == {}


def test_a_few_rows_show_nothing(tmp_path: Path) -> None:
    assert rejected(opened(tmp_path, HEADER, *ROWS[:2], ";Elm;;30;5")) == {}


@pytest.mark.parametrize(
    ("area", "beds", "lines"),
    [
        ("Aveda", sum(range(10, 15)), [7]),
        # It is not a sum, has another area, or has a number that may be how many rows there are.
        ("Aveda", 7, []),
        ("Cadia", sum(range(10, 15)), []),
        ("Aveda", 5, []),
    ],
)
def test_a_total_may_have_the_area_of_the_rows_above_it(
    tmp_path: Path, area: str, beds: int, lines: list[int]
) -> None:
    rows = [f"K{number};Oak {number};{'Aveda' if number < 15 else 'Brusk'};{number}" for number in range(10, 22)]
    file = opened(tmp_path, "Code;Name;City;Beds", *rows[:5], f";Zusumma;{area};{beds}", *rows[5:])
    assert rejected(file) == dict.fromkeys(lines, MAY_BE_A_TOTAL)


def test_the_last_row_of_a_long_list_is_judged_by_a_sample(tmp_path: Path) -> None:
    rows = [f"K{number};Oak {number};Aveda {number};5;1" for number in range(5_000)]
    assert rejected(opened(tmp_path, HEADER, *rows, ";Zusumma;;25000;5000")) == {5_002: MAY_BE_A_TOTAL}


def test_among_rejected_rows_it_stays_rejected_until_it_is_filled_in(tmp_path: Path) -> None:
    write_profile_beside(tmp_path / "list.csv")
    lines = ["import_line;import_reason;Code;name;City;Beds", f'2;"{MAY_BE_A_TOTAL}";;Zusumma;;12']
    assert rejected(opened(tmp_path, *lines)) == {2: MAY_BE_A_TOTAL}
    lines[1] = f'2;"{MAY_BE_A_TOTAL}";K1;Elm Clinic;Aveda;12'
    assert rejected(opened(tmp_path, *lines)) == {}
