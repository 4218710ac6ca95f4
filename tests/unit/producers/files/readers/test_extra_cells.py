"""Rows that have empty cells after the last column: shifted by an unquoted delimiter, or only ended with one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.import_files import write_import_files
from producers.files.readers.extra_cells import SHIFTED
from worker.contract.imports import ReportEntry

HEADER = "code,name,address,city,owner,phone"
OWNERS = ("public", "private", "church")


def row(number: int) -> str:
    town = f"Town{'abcdefg'[number % 7]}"
    return f"K{number},Oak {number} Clinic,Hill Road {number},{town},{OWNERS[number % 3]},06 {number}1"


ROWS = [row(number) for number in range(10, 22)]


def problems(folder: Path, *lines: str, delimiter: str = ",") -> dict[int, str | None]:
    path = folder / "list.csv"
    path.write_text("\n".join(lines).replace(",", delimiter) + "\n")
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh")))
    return {row.line: row.reasons[0] for row in file.rows() if row.reasons}


@pytest.mark.parametrize(
    "line",
    [
        # In the name, in the address, in both, with and without a blank.
        "K30,Elm Clinic, North,Mill Lane 3,Towna,public,",
        "K30,Elm Clinic,North,Mill Lane 3,Towna,public,",
        "K30,Elm Clinic,Mill Lane 3, Block B,Towna,public,",
        "K30,Elm Clinic,Mill Lane 3,Block B,Towna,public,",
        "K30,Elm, North,Mill Lane 3, Block B,Towna,,",
        # The owner is missing, too.
        "K30,Elm Clinic, North,Mill Lane 3,Towna,,",
        "K30,Elm Clinic,Mill Lane 3, Block B,Towna,,",
        # More empty cells than there are delimiters in its text.
        "K30,Elm Clinic, North,Mill Lane 3,Towna,public,,",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_row_that_a_delimiter_in_its_text_has_shifted_is_rejected(
    tmp_path: Path, line: str, delimiter: str
) -> None:
    assert problems(tmp_path, HEADER, *ROWS[:4], line, *ROWS[4:], delimiter=delimiter) == {6: SHIFTED}


@pytest.mark.parametrize(
    "line",
    [
        "K30,Elm Clinic,Mill Lane 3,Towna,public,06 301,",
        "K30,Elm Clinic,Mill Lane 3,Towna,public,,",
        "K30,Elm Clinic,Mill Lane 3,Towna,,,",
        "K30,Elm Clinic,,Towna,public,06 301,",
        '"K30","Elm Clinic, North","Mill Lane 3","Towna","public","06 301",',
        "K30,Elm Clinic,Mill Lane 3,Towna,public,06 301,,,,",
        "K30,Elm Clinic,Mill Lane 3,Townx,public,06 301,",
    ],
)
def test_a_row_that_only_ends_with_a_delimiter_is_read(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, HEADER, *ROWS[:4], line, *ROWS[4:]) == {}


@pytest.mark.parametrize("ended", [12, 8, 6, 4, 1])
def test_where_rows_end_with_a_delimiter_they_are_read(tmp_path: Path, ended: int) -> None:
    lines = [f"{line}," if number < ended else line for number, line in enumerate(ROWS)]
    assert problems(tmp_path, HEADER, *lines) == {}


def test_where_all_rows_end_with_a_delimiter_one_with_two_is_judged(tmp_path: Path) -> None:
    shifted = "K30,Elm Clinic, North,Mill Lane 3,Towna,public,,"
    assert problems(tmp_path, HEADER, *(f"{line}," for line in ROWS), shifted) == {14: SHIFTED}


@pytest.mark.parametrize(
    ("line", "is_shifted"),
    [
        ("Elm Clinic, North,Pisa,public,", True),
        ("Elm Clinic,North,Pisa,public,", True),
        ("Elm Clinic,Pisa,public,,", False),
        ("Elm Clinic,Pisa,public,closed,", False),
    ],
)
def test_in_columns_of_words_their_values_decide(tmp_path: Path, line: str, *, is_shifted: bool) -> None:
    cities = ("Pisa", "Roma", "Lucca")
    rows = [f"{'ABCDEFGHIJKLMNOPQRST'[at]} Clinic,{cities[at % 3]},{OWNERS[at % 2]}," for at in range(20)]
    rows[3] += "closed"
    found = problems(tmp_path, "name,city,owner,remark", *rows, line)
    assert found == ({22: SHIFTED} if is_shifted else {})


async def test_a_shifted_row_is_rejected_again_until_it_is_corrected(tmp_path: Path) -> None:
    async def rejected() -> AsyncIterator[ReportEntry]:
        yield ReportEntry(line=14, status="rejected", reasons=[SHIFTED])

    path = tmp_path / "list.csv"
    path.write_text("\n".join([HEADER, *ROWS, "K30,Elm Clinic, North,Mill Lane 3,Towna,public,"]) + "\n")
    written = await write_import_files(HospitalFile.open(path), rejected(), tmp_path / "import")
    assert written.rejects is not None
    (again,) = HospitalFile.open(written.rejects).rows()
    assert again.reasons == (SHIFTED,)
    text = written.rejects.read_text()
    written.rejects.write_text(
        text.replace("Elm Clinic,North,", '"Elm Clinic, North",').replace("public", "public,")
    )
    (corrected,) = HospitalFile.open(written.rejects).rows()
    assert corrected.known is not None
    assert (corrected.known["hospital_name"], corrected.known["city"]) == ("Elm Clinic, North", "Towna")


def test_the_cells_of_a_shifted_row_are_those_of_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join([HEADER, *ROWS, "K30,Elm Clinic, North,Mill Lane 3,Towna,public,"]) + "\n")
    *_, last = HospitalFile.open(path).rows()
    assert (last.known, list(last.fields)) == (None, HEADER.split(","))


def test_a_last_column_without_a_name_may_have_shifted_cells(tmp_path: Path) -> None:
    lines = [f"{line}," for line in ROWS]
    lines[3] = f"{ROWS[3]},closed 2020"
    lines.append("K30,Elm Clinic, North,Mill Lane 3,Towna,public,06 301")
    assert problems(tmp_path, f"{HEADER},", *lines) == {14: SHIFTED}


SPACED = [f"{at}, Oak {letter}, Town {letter}, {at}0" for at, letter in enumerate("abcdefgh", 10)]


@pytest.mark.parametrize(
    ("lines", "rejected"),
    [
        # A style with blanks, and few rows.
        ([*SPACED, "9, Elm, North, Pisa,"], [10]),
        ([*SPACED, "9, Elm, Pisa, 20,"], []),
        ([*SPACED, "9, Elm, Pisa, n/a,"], []),
        (["1,Oak,Rome,20", "2,Elm, North,Pisa,"], [3]),
        (["2,Elm,Pisa,20,"], []),
    ],
)
def test_a_few_rows_and_other_styles_are_judged(tmp_path: Path, lines: list[str], rejected: list[int]) -> None:
    assert problems(tmp_path, "id,name,city,beds", *lines) == dict.fromkeys(rejected, SHIFTED)


def test_one_row_alone_does_not_show_that_rows_end_so(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="line 2 has an empty cell after the last column"):
        problems(tmp_path, "id,name,city,beds", "2,Elm, North,Pisa,")
