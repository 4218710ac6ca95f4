"""Totals whose word nobody knows, and that lack no cell: they have the area of the rows above."""

from pathlib import Path

import pytest

from producers.files import HospitalFile
from producers.files.row_sample import MOST_ROWS
from producers.files.rows.area_totals import IS_A_SUM
from tests.support.rejected_rows import write_profile_beside
from tests.support.written_lists import opened, rejected

HEADER = "City;Name;Beds;Doctors"
CALI = ["Cali;Oak;625;300", "Cali;Elm;350;280"]
BUGA = ["Buga;Ash;150;60", "Buga;Fir;170;61"]


def doubts(file: HospitalFile) -> list[str]:
    return [note for note in file.notes if "may be a total" in note]


@pytest.mark.parametrize(
    "total",
    ["Cali;ZUSUMMA CALI;975;580", "Cali;Zusumma;975;580", "Cali;Cali;975;580", "Cali;Zusumma;975,00;580"],
)
def test_a_row_with_the_sums_of_its_area_is_rejected(tmp_path: Path, total: str) -> None:
    file = opened(tmp_path, HEADER, *CALI, total, *BUGA)
    assert rejected(file) == {4: IS_A_SUM}
    assert doubts(file) == []
    # It does not count for the columns.
    assert file.statistics["Name"].rows == len(CALI) + len(BUGA)


def test_totals_are_found_below_each_area_and_also_below_one_hospital(tmp_path: Path) -> None:
    lines = [
        *(*CALI, "Cali;Zusumma Cali;975;580"),
        *("Palmira;Yew;180;90", "Palmira;Zusumma Palmira;180;90"),
        *(*BUGA, "Buga;Zusumma Buga;320;121"),
    ]
    assert rejected(opened(tmp_path, HEADER, *lines)) == dict.fromkeys((4, 6, 9), IS_A_SUM)


def test_the_word_below_several_areas_makes_up_for_few_digits(tmp_path: Path) -> None:
    lines = ["Cali;Oak;3", "Cali;Elm;5", "Cali;Zusumma;8", "Buga;Ash;4", "Buga;Fir;2", "Buga;Zusumma;6"]
    assert rejected(opened(tmp_path, "City;Name;Beds", *lines)) == dict.fromkeys((4, 7), IS_A_SUM)


def test_totals_of_areas_within_areas_are_found(tmp_path: Path) -> None:
    lines = [
        *("Valle;Cali;Oak;625;300", "Valle;Cali;Elm;350;280", "Valle;Cali;Zusumma;975;580"),
        *("Valle;Buga;Ash;150;60", "Valle;Buga;Fir;170;61", "Valle;Buga;Zusumma;320;121"),
        "Valle;;Zusumma;1295;701",
        *("Cauca;Timbio;Yew;80;30", "Cauca;Timbio;Bay;90;31"),
    ]
    found = rejected(opened(tmp_path, "State;City;Name;Beds;Doctors", *lines))
    assert found == dict.fromkeys((4, 7, 8), IS_A_SUM)


def test_many_rows_make_one_number_enough(tmp_path: Path) -> None:
    rows = [f"Cali;Oak {number};{number}" for number in range(20, 26)]
    assert rejected(opened(tmp_path, "City;Name;Beds", *rows, f"Cali;Zusumma;{sum(range(20, 26))}")) == {
        8: IS_A_SUM
    }
    # Also of a list of two columns, without an area.
    rows = [f"Oak {number};{number}" for number in range(20, 26)]
    assert rejected(opened(tmp_path, "Name;Beds", *rows, f"Zusumma;{sum(range(20, 26))}")) == {8: IS_A_SUM}


@pytest.mark.parametrize(
    ("lines", "notes"),
    [
        # One number alone may be a coincidence; with the name of the area it is worth a note.
        (["Cali;Oak;62;", "Cali;Elm;35;", "Cali;Zusumma;97;", *BUGA], 0),
        (["Cali;Oak;625;", "Cali;Elm;350;", "Cali;Zusumma Cali;975;", *BUGA], 1),
        (["Cali;Oak;62;", "Cali;Elm;35;", "Cali;Yew;10;", "Cali;Zusumma;107;", *BUGA], 1),
        # The same word below two areas, with numbers that nearly are sums.
        ([*CALI, "Cali;Zusumma;976;581", *BUGA, "Buga;Zusumma;321;122"], 1),
    ],
)
def test_rows_that_may_be_totals_are_loaded_with_a_note(tmp_path: Path, lines: list[str], notes: int) -> None:
    file = opened(tmp_path, HEADER, *lines)
    assert rejected(file) == {}
    assert len(doubts(file)) == notes
    if notes:
        assert "loaded" in doubts(file)[0]
        assert "'Zusumma" in doubts(file)[0]


@pytest.mark.parametrize(
    "lines",
    [
        # It is called a hospital, or one number is no sum, or it stands among the rows of its area.
        [*CALI, "Cali;Oak Hospital;975;580", *BUGA],
        [*CALI, "Cali;Zusumma;975;579", *BUGA],
        [*CALI, "Cali;Zusumma;975;580", "Cali;Yew;10;5", *BUGA],
        # It has another area.
        [*CALI, "Buga;Zusumma;975;580", *BUGA],
    ],
)
def test_other_rows_are_loaded_without_a_word(tmp_path: Path, lines: list[str]) -> None:
    file = opened(tmp_path, HEADER, *lines)
    assert rejected(file) == {}
    assert doubts(file) == []


@pytest.mark.parametrize(
    ("header", "more"),
    [("Code", "K{0}"), ("Phone", "06 11 22 3{0}"), ("lat;lon", "45.{0}1;7.{0}1"), ("Type", "kind {0}")],
)
def test_a_row_with_an_identifier_a_place_or_a_text_of_its_own_is_a_hospital(
    tmp_path: Path, header: str, more: str
) -> None:
    lines = [*CALI, "Cali;Zusumma;975;580", *BUGA]
    rows = [f"{line};{more.format(number)}" for number, line in enumerate(lines)]
    assert rejected(opened(tmp_path, f"{HEADER};{header}", *rows)) == {}


def test_numbers_of_rows_and_years_are_no_sums(tmp_path: Path) -> None:
    lines = [*CALI, "Cali;Zusumma;975;580", *BUGA]
    rows = [f"{number};2024;{line}" for number, line in enumerate(lines, 1)]
    assert rejected(opened(tmp_path, f"S.No;Year;{HEADER}", *rows)) == {4: IS_A_SUM}


def test_hospitals_of_the_same_size_are_no_totals(tmp_path: Path) -> None:
    rows = [f"Town {number};{name};10;2" for number in range(20) for name in ("Main", "Annex")]
    file = opened(tmp_path, HEADER, *rows)
    assert rejected(file) == {}
    assert doubts(file) == []


def test_totals_of_a_long_list_are_found_to_its_end(tmp_path: Path) -> None:
    areas = MOST_ROWS // 3
    lines = [
        line
        for area in range(areas)
        for line in (
            f"Town {area};Oak {area};{area + 100};{area + 20}",
            f"Town {area};Elm {area};{area + 300};{area + 40}",
            f"Town {area};Zusumma;{2 * area + 400};{2 * area + 60}",
            # Below it stands another hospital of the town, so that nobody knows.
            *([f"Town {area};Outpost {area};{area % 7};1"] if area % 2 else []),
        )
    ]
    totals = [at for at, line in enumerate(lines, 2) if "Zusumma" in line and int(line.split(";")[0][5:]) % 2 == 0]
    file = opened(tmp_path, HEADER, *lines)
    assert len(lines) > MOST_ROWS
    assert rejected(file) == dict.fromkeys(totals, IS_A_SUM)


def test_a_corrected_row_is_loaded(tmp_path: Path) -> None:
    write_profile_beside(tmp_path / "list.csv")
    lines = ["import_line;import_reason;City;name;Beds", f'4;"{IS_A_SUM}";Cali;Elm;975']
    assert rejected(opened(tmp_path, *lines)) == {}
