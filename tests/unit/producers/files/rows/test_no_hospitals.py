"""Rows that are not hospitals: numbers and types of columns, other headers, totals, sections and footnotes."""

from pathlib import Path

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.rows.lone_names import ALONE
from producers.files.rows.second_headers import (
    HAS_NUMBERS,
    HAS_TECHNICAL_NAMES,
    HAS_TYPES,
    IN_OTHER_WORDS,
    IS_OTHER_HEADER,
)
from producers.files.rows.suspects import LOOKS_LIKE_A_TOTAL
from producers.files.rows.unknown_totals import MAY_BE_A_TOTAL
from producers.files.table import Wishes
from tests.support.lists.writing import workbook
from tests.support.rejected_rows import write_profile_beside
from tests.support.written_lists import opened, rejected

HEADER = "code,name,town,beds"
ROWS = [f"K{number},Oak {number},Aveda {number},{number * 5}" for number in range(1, 10)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3,4", HAS_NUMBERS),
        ("(1),(2),(3),(4)", HAS_NUMBERS),
        ("A,B,C,D", HAS_NUMBERS),
        ("text,text,text,number", HAS_TYPES),
        ("varchar(10),varchar(200),varchar(50),int", HAS_TYPES),
        ("текст,текст,текст,число", HAS_TYPES),
        ("fac_code,fac_name,town,n_beds", HAS_TECHNICAL_NAMES),
        ("1,2,3,40", None),
        ("K_1,Elm,Brusk,4", None),
        ("number,Elm,Brusk,4", None),
    ],
)
def test_the_row_below_a_header_may_say_what_the_columns_are(tmp_path: Path, line: str, reason: str | None) -> None:
    file = opened(tmp_path, HEADER, line, *ROWS)
    assert rejected(file) == ({} if reason is None else {2: reason})
    assert file.statistics["beds"].rows == len(ROWS) + (reason is None)


def test_numbers_of_columns_in_a_workbook_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    rows = [line.split(",") for line in ROWS]
    path.write_bytes(workbook([], HEADER.split(","), [[1, 2, 3, 4], *rows]))
    assert rejected(HospitalFile.open(path)) == {2: HAS_NUMBERS}


@pytest.mark.parametrize(
    "second", ["code,town,name,beds", "Facility,City,Ownership,", "Hospital name,Address,Phone,"]
)
def test_rows_below_a_header_with_other_columns_are_not_read_by_the_first(tmp_path: Path, second: str) -> None:
    file = opened(tmp_path, HEADER, *ROWS, second, "K20,Brusk,Elm,7", HEADER, "K21,Ash,Corvo,8")
    found = rejected(file)
    assert list(found) == [11, 12, 13]
    assert found[11] == IS_OTHER_HEADER
    assert "in line 11" in found[12]
    assert [row.record.hospital_name for row in file.rows() if row.record][-1] == "Ash"


@pytest.mark.parametrize(
    "line", ["K20,Clinic,City,5", "K20,Town Clinic,Brusk,", ",City Hospital,Town,", "K20,Name,,"]
)
def test_a_hospital_with_words_of_headers_is_no_header(tmp_path: Path, line: str) -> None:
    file = opened(tmp_path, HEADER, *ROWS, line, "K21,Ash,Corvo,8")
    assert rejected(file) == {}


def test_a_header_in_other_words_among_the_rows_is_a_rejected_row(tmp_path: Path) -> None:
    file = opened(tmp_path, HEADER, *ROWS, "Code,Hospital,City,Number of beds", "K21,Ash,Corvo,8")
    assert rejected(file) == {11: IN_OTHER_WORDS}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",Total DAKAR,,450", LOOKS_LIKE_A_TOTAL),
        (",Sous-total Nord,,450", LOOKS_LIKE_A_TOTAL),
        (",Итого по области:,,450", LOOKS_LIKE_A_TOTAL),
        (",Dakar Total,-,450", LOOKS_LIKE_A_TOTAL),
        (",東京都計,,450", MAY_BE_A_TOTAL),
        (",東京都合計,,450", LOOKS_LIKE_A_TOTAL),
        (",Total Care Clinic,,35", None),
        (",Hôpital Total,,35", None),
        (",Total DAKAR,Dakar,450", LOOKS_LIKE_A_TOTAL),
        (",Total DAKAR OUEST,Dakar,450", None),
        ("K20,Total DAKAR,Dakar,450", None),
        ("20,Total DAKAR,Dakar,450", None),
        (",Totally Oak,,45", MAY_BE_A_TOTAL),
    ],
)
def test_a_total_has_the_word_for_it_and_lacks_what_others_have(
    tmp_path: Path, line: str, reason: str | None
) -> None:
    assert rejected(opened(tmp_path, HEADER, *ROWS, line)) == ({} if reason is None else {11: reason})


@pytest.mark.parametrize("name", ["Region North", "Source: Ministry of Health 2024", "* provisional", "ACT"])
def test_a_row_that_fills_only_the_name_is_not_applied_where_the_others_are_fuller(
    tmp_path: Path, name: str
) -> None:
    file = opened(tmp_path, HEADER, f",{name},,", *ROWS, f",{name},,")
    assert rejected(file) == {2: ALONE, 12: ALONE}
    # It costs the list neither its identifier nor what it says of its columns.
    assert (file.statistics["code"].rows, file.statistics["code"].unique) == (len(ROWS), True)
    assert [note for note in file.notes if "only one column" in note and repr(name) in note]


@pytest.mark.parametrize(
    ("above", "words"),
    [
        ([",North,,"], "1 row fills only one column, first 'North' in line 2, and is not loaded; if it names"),
        (
            [",North,,", ",South,,"],
            "2 rows fill only one column, first 'North' in line 2, and are not loaded; if they name",
        ),
    ],
)
def test_a_note_speaks_of_one_row_or_of_several(tmp_path: Path, above: list[str], words: str) -> None:
    assert [note for note in opened(tmp_path, HEADER, *above, *ROWS).notes if note.startswith(words)]


def test_headings_of_small_sections_are_no_hospitals(tmp_path: Path) -> None:
    sections = [[f",District {row},,", *ROWS[row : row + 2]] for row in range(0, 8, 2)]
    file = opened(tmp_path, HEADER, *(line for section in sections for line in section))
    assert rejected(file) == dict.fromkeys((2, 5, 8, 11), ALONE)
    rows = [f",Elm {number},," if number % 2 else ROWS[number] for number in range(9)]
    assert rejected(opened(tmp_path, HEADER, *rows)) == {}


def test_footnotes_below_a_list_name_no_place(tmp_path: Path) -> None:
    assert not [note for note in opened(tmp_path, HEADER, *ROWS, ",Source: X,,").notes if "only one column" in note]


@pytest.mark.parametrize(
    "lines",
    [
        # Half of the hospitals are known by name alone.
        [HEADER, *ROWS, *(f",Elm {number},," for number in range(9))],
        # Many have hardly more than that.
        [HEADER, *ROWS, *(f",Elm {number},,{number + 1}" for number in range(9)), ",Ash,,"],
        ["name,beds", *(f"Oak {number},{number}" for number in range(1, 10)), "Ash,"],
        [HEADER, *ROWS[:4], ",Ash,,"],
        ["name", "Oak", "Elm", "Region North"],
    ],
)
def test_hospitals_that_are_known_by_name_alone_are_loaded(tmp_path: Path, lines: list[str]) -> None:
    file = opened(tmp_path, *lines)
    assert rejected(file) == {}
    assert file.statistics["name"].rows == len(lines) - 1


def test_sections_are_found_in_lists_of_two_columns(tmp_path: Path) -> None:
    rows = [f"Oak {number},public" for number in range(12)]
    file = opened(tmp_path, "name,type", "Region North,", *rows, "* draft,", "District Hospital,")
    assert rejected(file) == {2: ALONE, 15: ALONE}


@pytest.mark.parametrize("reason", [ALONE, LOOKS_LIKE_A_TOTAL])
def test_among_rejected_rows_they_stay_rejected_until_another_cell_is_filled(tmp_path: Path, reason: str) -> None:
    name = "Total North" if reason == LOOKS_LIKE_A_TOTAL else "North"
    beds = "50" if reason == LOOKS_LIKE_A_TOTAL else ""
    write_profile_beside(tmp_path / "list.csv")
    lines = ["import_line,import_reason,code,name,town,beds", f'2,"{reason}",,{name},,{beds}']
    assert rejected(opened(tmp_path, *lines)) == {2: reason}
    lines[1] = lines[1].replace(f"{name},", f"{name},Aveda")
    assert rejected(opened(tmp_path, *lines)) == {}


@pytest.mark.parametrize("titles", [[], ["List"], ["List", "Ministry", "2025"]])
def test_a_profile_says_that_the_lines_above_the_header_have_changed(tmp_path: Path, titles: list[str]) -> None:
    profile = opened(tmp_path, "List", "Ministry", HEADER, *ROWS).profile
    path = tmp_path / "next.csv"
    path.write_text("\n".join([*titles, HEADER, *ROWS]) + "\n")
    with pytest.raises(FileError, match=f"lines above the header have changed.*--skip-rows {len(titles)}"):
        HospitalFile.open(path, FileWishes().by_profile(profile))
    said = FileWishes(reading=Wishes(skip_rows=len(titles))).by_profile(profile)
    assert HospitalFile.open(path, said).rows_read == len(ROWS)


@pytest.mark.parametrize(
    ("group", "total", "stored"),
    [("病床数", "合計", 3), ("Nombre de lits", "Total", 3), ("Betten", "insgesamt", 3), ("Коек", "всего", 3)],
)
def test_a_part_of_the_beds_is_not_stored_as_all(tmp_path: Path, group: str, total: str, stored: int) -> None:
    rows = [f"K{number},Oak {number},Aveda,1,2,3" for number in range(9)]
    file = opened(tmp_path, f"code,name,town,{group},,", f",,,一般,療養,{total}", *rows)
    assert {row.record.beds for row in file.rows() if row.record} == {stored}
    assert file.columns.left_out == (f"{group} 一般", f"{group} 療養")
    assert [note for note in file.notes if f"{group} 一般" in note]
