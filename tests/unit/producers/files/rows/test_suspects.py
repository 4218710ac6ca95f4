"""Rows that are not hospitals by what they say, and hospitals that only look so."""

from pathlib import Path

import pytest

from producers.files.rows import suspects
from producers.files.rows.suspects import (
    IS_A_COUNT,
    IS_A_REMARK,
    IS_A_SECTION,
    IS_STATISTICS,
    LOOKS_LIKE_A_TOTAL,
)
from producers.files.rows.unknown_totals import MAY_BE_A_TOTAL
from tests.support.rejected_rows import write_profile_beside
from tests.support.written_lists import opened, rejected

HEADER = "Code;Name;City;Type;Beds"
ROWS = [f"K{number};Oak {number} Clinic;Aveda {number};public;{number * 5}" for number in range(10, 22)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        # The word for a total is beside a count, or nothing is there but numbers.
        ("SUMA TOTAL;12;;;900", IS_A_COUNT),
        ("Celkem;12 nemocnic;;;900", IS_A_COUNT),
        ("Razem;Liczba szpitali: 12;;;900", IS_A_COUNT),
        ("総計;12施設;;;900", IS_A_COUNT),
        ("Всього;12 закладів;;;900", IS_A_COUNT),
        ('סה"כ;12;;;900', IS_A_COUNT),
        (";12;Yhteensä;;900", IS_A_COUNT),
        (";12;;;900", IS_A_COUNT),
        (";12 ospedali;;;900", IS_A_COUNT),
        ("Numero di ospedali;12;;;", IS_A_COUNT),
        ("Nombre de cliniques : 12;;;;900", IS_A_COUNT),
        (";;Totaal;;900", IS_A_COUNT),
        # Totals of parts of the list.
        (";Subtotal Aveda;;;900", LOOKS_LIKE_A_TOTAL),
        (";Zwischensumme Nord;;;900", LOOKS_LIKE_A_TOTAL),
        (";Aveda ukupno;;;900", LOOKS_LIKE_A_TOTAL),
        ("Aveda;Total Aveda;;;900", LOOKS_LIKE_A_TOTAL),
        # Statistics.
        (";Moyenne;;;41", IS_STATISTICS),
        (";davon privat;;;12", IS_STATISTICS),
        (";в том числе дневные;;;12", IS_STATISTICS),
        (";Maximum;;;90", IS_STATISTICS),
        (";Bettenauslastung in %;;;78", IS_STATISTICS),
        # Sections with a mark.
        ("III.;KABUPATEN BIMA;;;", IS_A_SECTION),
        ("二;绍兴市;;;10", IS_A_SECTION),
        ("B.;SECTOR PRIVADO;;;", IS_A_SECTION),
        ("3;Province du Sud;;;400", IS_A_SECTION),
        (";Bezirk Mitte;;;400", IS_A_SECTION),
        # Remarks on the list.
        ("**;nur Tagesklinik;;;", IS_A_REMARK),
        ("2);as of December;;;", IS_A_REMARK),
        ("†;provisional;;;", IS_A_REMARK),
        ("Fuente:;Ministerio de Salud;;;", IS_A_REMARK),
        ("Bron: CBS;2024;;;", IS_A_REMARK),
        ("Approved by;A. Person;;;", IS_A_REMARK),
        (";A. Person;;;Geprüft von:", IS_A_REMARK),
        ("制表人;王;;;", IS_A_REMARK),
        ("Página 2 de 7;;;;v2", IS_A_REMARK),
        # It says nothing, but lacks what all others have.
        (";Max Smart;;;45", MAY_BE_A_TOTAL),
        # Hospitals that only look so.
        ("K30;Total Care Clinic;;;35", None),
        ("K30;12 Hospitals Road Clinic;Aveda;public;3", None),
        (";Bệnh viện số 5;;;12", None),
        ("12;Side Devlet;;;45", None),
        ("12;Page Memorial;;;45", None),
        ("12;Kota Bharu;Kelantan;;45", None),
        ("K30;Stand;;;", None),
        ("K30;115;Aveda;public;35", None),
        ("A;Oak Clinic;;;", None),
        ("9;Bezirk Mitte;;;41 30 12 34 567", None),
    ],
)
def test_a_row_is_judged_by_what_it_says_and_lacks(tmp_path: Path, line: str, reason: str | None) -> None:
    file = opened(tmp_path, HEADER, *ROWS, line)
    assert rejected(file) == ({} if reason is None else {len(ROWS) + 2: reason})
    # No such row costs the list its identifier.
    assert reason is None or file.columns.columns_of("external_id") == ("Code",)


@pytest.mark.parametrize("each", [1, 2, 4])
@pytest.mark.parametrize("name", ["Total Region", "Итого по области", "Summe Kreis", "Okres celkem", "JUMLAH KOTA"])
def test_sub_totals_after_every_few_hospitals_are_none_and_do_not_count(
    tmp_path: Path, name: str, each: int
) -> None:
    lines = []
    for at, row in enumerate(ROWS, 1):
        lines += [row, f";{name} {at};;;90"] if at % each == 0 and "celkem" not in name else [row]
        lines += [f";{at} {name};;;90"] if at % each == 0 and "celkem" in name else []
    file = opened(tmp_path, HEADER, *lines)
    assert set(rejected(file).values()) == {LOOKS_LIKE_A_TOTAL}
    assert sum(row.record is not None for row in file.rows()) == len(ROWS)
    assert file.columns.columns_of("external_id") == ("Code",)
    assert file.statistics["Code"].rows == len(ROWS)


@pytest.mark.parametrize("most", [3, 10_000])
def test_suspects_are_decided_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(suspects, "_MOST_HELD", most)
    lines = [line for row in ROWS for line in (row, ";Total Aveda;;;9")] + [";Total Care Clinic;;;35"]
    file = opened(tmp_path, HEADER, *lines)
    assert list(rejected(file)) == list(range(3, 2 * len(ROWS) + 2, 2))
    assert file.statistics["Name"].rows == len(ROWS) + 1


@pytest.mark.parametrize("heading", ["Legende:", "Abréviations", "凡例", "Keterangan:", "Условные обозначения:"])
def test_what_a_legend_explains_is_no_hospital(tmp_path: Path, heading: str) -> None:
    file = opened(
        tmp_path, HEADER, *ROWS, f"{heading};;;;", "ö;öffentlich;;;", "fg;gemeinnützig;;;", "K30000;Elm;;;"
    )
    found = rejected(file)
    assert [found.get(line) for line in (15, 16, 17)] == [IS_A_REMARK, IS_A_REMARK, None]


@pytest.mark.parametrize(
    ("line", "is_hospital"),
    [
        ("Quelle:;Statistik", False),
        ("TOTAL;500", False),
        ("10 hospitals;400", False),
        ("Oak: North;500", True),
        ("Total Oak;500", True),
        ("7;500", True),
    ],
)
def test_rows_of_two_columns_lack_nothing(tmp_path: Path, line: str, *, is_hospital: bool) -> None:
    rows = [f"Oak {number};{number}" for number in range(10, 22)]
    assert (rejected(opened(tmp_path, "Hospital;Beds", *rows, line)) == {}) == is_hospital


def test_a_hospital_with_a_letter_for_a_name_is_no_section(tmp_path: Path) -> None:
    rows = [f"{letter};{number};{number}5;x" for number, letter in enumerate("ABCDEFGH")]
    assert rejected(opened(tmp_path, "Hospital;Id;Beds;Extra", *rows, "K;9;;x", "L;;;Elm")) == {11: IS_A_SECTION}
    assert rejected(opened(tmp_path, "Hospital;Id;Beds;Extra", rows[0], "B;3;;x")) == {}


def test_a_total_in_the_column_of_districts_is_told_by_the_name(tmp_path: Path) -> None:
    rows = [f"North;{row}" for row in ROWS]
    lines = ["North;TOTAL;12;;;900", "North;Total;12 hospitals;;;900", "North;Total;Elm;;;900"]
    file = opened(tmp_path, f"District;{HEADER}", *rows, *lines)
    assert rejected(file) == {14: IS_A_COUNT, 15: IS_A_COUNT}


def test_a_name_that_is_only_a_number_is_noted(tmp_path: Path) -> None:
    file = opened(tmp_path, HEADER, *ROWS, "K30;115;Hanoi;public;35", "K31;7A;Hanoi;public;35")
    assert rejected(file) == {}
    assert [note for note in file.notes if "'115' in line 14" in note and "only a number: 1," in note]


@pytest.mark.parametrize("reason", [IS_A_COUNT, IS_STATISTICS, IS_A_SECTION, IS_A_REMARK])
def test_among_rejected_rows_they_stay_rejected_until_they_are_filled_in(tmp_path: Path, reason: str) -> None:
    line = {
        IS_A_COUNT: "Total;12 hospitals;",
        IS_STATISTICS: ";Average;",
        IS_A_SECTION: "IV;Bezirk Mitte;",
        IS_A_REMARK: "*;open;",
    }[reason]
    write_profile_beside(tmp_path / "list.csv")
    lines = ["import_line;import_reason;Code;name;City;Beds", f'2;"{reason}";{line};12']
    assert rejected(opened(tmp_path, *lines)) == {2: reason}
    lines[1] = f'2;"{reason}";K1;Elm Clinic;Aveda;12'
    assert rejected(opened(tmp_path, *lines)) == {}


def test_the_total_of_an_area_is_none_although_it_lacks_nothing(tmp_path: Path) -> None:
    rows = [f"Aveda,Oak {number},{number * 5}" for number in range(1, 5)]
    lines = [*rows, "Aveda,TOTAL AVEDA,50", "Brusk,Elm,7", "Brusk,Brusk total,7", "Brusk,Total Aveda,9"]
    file = opened(tmp_path, "City,Name,Beds", *lines)
    assert rejected(file) == dict.fromkeys((6, 8), LOOKS_LIKE_A_TOTAL)


def test_a_name_in_brackets_belongs_to_the_row_above(tmp_path: Path) -> None:
    rows = [f"{number},Oak Hospital {number},Aveda,{number}5" for number in range(1, 7)]
    file = opened(tmp_path, "No,Name,City,Beds", *rows[:3], ",(formerly Elm Hospital),,", *rows[3:])
    assert list(rejected(file)) == [5]


def test_footnotes_with_a_mark_are_no_hospitals_however_many_there_are(tmp_path: Path) -> None:
    rows = [f"Oak {number},Aveda,{number}5," for number in range(1, 7)]
    notes = ["* as of 30 June,,,", "** with the annex,,,", "*** closed,,,", "* Oak Hospital,,,"]
    file = opened(tmp_path, "Name,City,Beds,Remarks", *rows, *notes)
    assert list(rejected(file)) == [8, 9, 10]
