"""The rejected rows of an import are read as the list that they come from."""

import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.import_files import write_import_files
from producers.files.profile import read_profile
from producers.files.table import Wishes
from worker.contract.imports import ReportEntry

MOH = FileWishes(columns=ColumnWishes(source="moh"))
HEADER = "Facility Name;facility_code;City;beds;observed at\n"
# The code of two rows that differ is the same, so it does not identify the hospitals; the days are plain in row 40.
ROWS = [
    f"Clinic {number};S{min(number, 58)};Town {number};1.{number:03};{'13' if number == 40 else '03'}/04/2024\n"
    for number in range(60)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(HEADER + "".join(ROWS))
    return path


async def reject(path: Path, *lines: int, wishes: FileWishes = MOH) -> Path:
    """Return the rejects file of an import in which these lines were rejected."""

    async def entries() -> AsyncIterator[ReportEntry]:
        for line in lines:
            yield ReportEntry(line=line, status="rejected", reasons=["wrong"])

    written = await write_import_files(HospitalFile.open(path, wishes), entries(), path.parent / "import")
    assert written.rejects is not None
    return written.rejects


def records(path: Path, wishes: FileWishes | None = None) -> list[object]:
    return [row.record for row in HospitalFile.open(path, wishes).rows()]


async def test_corrected_rows_have_the_identity_and_the_values_that_they_have_in_the_list(path: Path) -> None:
    rejects = await reject(path, 9, 10, 30)
    expected = [row.record for row in HospitalFile.open(path, MOH).rows() if row.line in (9, 10, 30)]
    for wishes in (None, MOH):
        file = HospitalFile.open(rejects, wishes)
        assert [row.record for row in file.rows()] == expected
        assert f"rejected rows of an import, read as their list: {rejects.with_name('profile.toml')}" in file.notes
    # Without the profile they look otherwise.
    alone = path.parent / "alone.csv"
    shutil.copy(rejects, alone)
    with pytest.raises(FileError, match=r"rejected rows of an import, but not beside it profile\.toml"):
        HospitalFile.open(alone, MOH)
    given = FileWishes().by_profile(read_profile(rejects.with_name("profile.toml")))
    assert records(alone, given) == expected


async def test_what_the_user_says_takes_precedence(path: Path) -> None:
    rejects = await reject(path, 9, 10)
    wishes = FileWishes(columns=ColumnWishes(source="osm", mapping={"external_id": "facility_code", "beds": ""}))
    (first, _) = HospitalFile.open(rejects, wishes).rows()
    assert first.record is not None
    assert (first.record.source, first.record.external_id, first.record.beds) == ("osm", "S7", None)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        # Lines above the header, no header, a tab.
        ("List of hospitals\n\n" + HEADER + "".join(ROWS), 11),
        ("".join(ROWS).replace("Clinic", "Saint Clinic"), 8),
        ((HEADER + "".join(ROWS)).replace(";", "\t"), 9),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_the_rejected_rows_have_a_form_of_their_own(
    path: Path, content: str, line: int, encoding: str
) -> None:
    path.write_text(content, encoding=encoding)
    expected = [row.record for row in HospitalFile.open(path, MOH).rows() if row.line == line]
    rejects = await reject(path, line)
    assert len(expected) == 1
    assert records(rejects) == expected
    given = FileWishes().by_profile(read_profile(rejects.with_name("profile.toml")))
    assert records(rejects, given) == expected


async def test_the_profile_of_a_list_with_lines_above_its_header_reads_its_rejected_rows(path: Path) -> None:
    path.write_text("List of hospitals\n\n" + HEADER + "".join(ROWS))
    by_list = MOH.by_profile(HospitalFile.open(path, MOH).profile)
    for lines in ((11,), (11, 12, 13, 14, 15)):
        expected = [row.record for row in HospitalFile.open(path, MOH).rows() if row.line in lines]
        assert records(await reject(path, *lines), by_list) == expected


async def test_rejected_rows_may_be_saved_by_a_spreadsheet(path: Path) -> None:
    rejects = await reject(path, 9, 10)
    expected = records(rejects)
    text = rejects.read_text()
    rejects.write_text("\ufeff" + text.replace(";", ","), encoding="utf-8")
    assert records(rejects) == expected
    book = openpyxl.Workbook()
    assert book.active is not None
    for line in text.splitlines():
        book.active.append(line.split(";"))
    book.save(rejects.with_name("corrected.xlsx"))
    assert records(rejects.with_name("corrected.xlsx")) == expected


async def test_the_encoding_of_the_list_is_that_of_its_rejected_rows(path: Path) -> None:
    names = ["Szpital Miejski w Łodzi", "Śląskie Centrum Zdrowia", "Szpital św. Łukasza", "Przychodnia Źródło"]
    text = "nazwa szpitala;miasto\n" + "".join(f"{name};Żory\n" for name in names * 5)
    path.write_text(text, encoding="cp1250")
    wishes = replace(MOH, reading=Wishes(encoding="cp1250"))
    rejects = await reject(path, 3, wishes=wishes)
    (row,) = HospitalFile.open(rejects).rows()
    assert row.record is not None
    assert (row.record.hospital_name, row.record.city) == ("Śląskie Centrum Zdrowia", "Żory")


async def test_rejected_rows_of_json_keep_the_column_of_the_identifier(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    rows = [{"name": f"Clinic {n}", "code": f"H{n}7", "beds": n} for n in range(40)]
    path.write_text(json.dumps([*rows, {"beds": 3}]))
    rejects = await reject(path, 41)
    assert rejects.name == "rejects.ndjson"
    corrected = json.loads(rejects.read_text()) | {"name": "Clinic 41", "code": "H417"}
    assert corrected.keys() == {"import_line", "import_reason", "name", "code", "beds"}
    rejects.write_text(json.dumps(corrected) + "\n")
    (row,) = HospitalFile.open(rejects).rows()
    assert row.record is not None
    assert row.record.hospital_id == "moh:H417"


async def test_rejected_rows_of_a_workbook_are_read_as_it(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in ["Facility Name", "code", "beds"], *([f"Clinic {n}", 1000 + n, 1400.0 + n] for n in range(30)):
        book.active.append(row)
    book.save(path)
    expected = [row.record for row in HospitalFile.open(path, MOH).rows() if row.line == 5]
    assert len(expected) == 1
    assert records(await reject(path, 5)) == expected


@pytest.mark.parametrize("write", [Path.touch, Path.mkdir, lambda path: path.write_text("a = 1\n")])
def test_other_files_are_read_without_regard_to_a_profile_beside_them(
    path: Path, write: Callable[[Path], object]
) -> None:
    expected = records(path, MOH)
    write(path.with_name("profile.toml"))
    assert records(path, MOH) == expected


async def test_a_spoiled_profile_beside_rejected_rows_is_reported(path: Path) -> None:
    rejects = await reject(path, 9)
    rejects.with_name("profile.toml").write_text("a = 1\n")
    with pytest.raises(FileError, match=r"profile\.toml: is not a profile of this version"):
        HospitalFile.open(rejects)


LIST = "Code;Name;Town;Beds\n" + "".join(f"A{at};Oak {at} Hospital;Town {at};{at}\n" for at in range(30))
SHORT = "Code;Name;Town;Beds\n" + "".join(f"A{at};Oak {at} Hospital;Town {at}\n" for at in range(30))


@pytest.mark.parametrize(
    ("content", "odd"),
    [
        # Half a row each, and a row of half its cells.
        (LIST, ["B5;Elm", "Bay;Town 1;25"]),
        (LIST, ["B6;Fir Hospital\n", "Wing;Town 2"]),
        (LIST, ["B91;Oak"]),
        # Where rows leave out the cells at their end.
        (SHORT, ["B5;Elm", "Bay;Town 1;25"]),
        # What cannot be split stands in the first column.
        (LIST.replace("Code;Name", "Name;Code"), ['Yew "Clinic;B7;"Town;4']),
        # Other columns, in the rows below their names, too.
        (LIST, ["Town;Code;Name;Beds", "Aveda;B8;Ash Hospital;12"]),
        (LIST, ["Code;Name;Town;Beds"]),
        (LIST, ["Section of the north"]),
    ],
)
@pytest.mark.parametrize("saved", ["as it is", "by a spreadsheet", "alone"])
async def test_what_is_no_row_is_rejected_again_until_it_is_corrected(
    tmp_path: Path, content: str, odd: list[str], saved: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content + "".join(f"{line.strip()}\n" for line in odd) + "Z1;Last Hospital;Town 9;5\n")
    file = HospitalFile.open(path, MOH)
    reasons = {row.line: row.reasons for row in file.rows() if row.record is None}
    assert {*range(32, 32 + len(odd))} <= {*reasons}

    async def entries() -> AsyncIterator[ReportEntry]:
        for line, why in reasons.items():
            yield ReportEntry(line=line, status="rejected", reasons=[*why])

    written = await write_import_files(file, entries(), tmp_path / "import")
    rejects, wishes = written.rejects, FileWishes()
    assert rejects is not None
    if saved == "by a spreadsheet":
        # It adds the cells that a row lacks.
        rows = [line.split(";") for line in rejects.read_text().splitlines()]
        rejects.write_text("".join(";".join(row + [""] * (6 - len(row))) + "\n" for row in rows))
    if saved == "alone":
        wishes = wishes.by_profile(read_profile(rejects.with_name("profile.toml")))
        rejects = rejects.rename(tmp_path / "alone.csv")
    assert set(records(rejects, wishes)) == {None}
    with rejects.open("a") as corrected:
        corrected.write("32;;B5;Elm Bay Hospital;Town 1;25\n")
    names = [
        it.hospital_name for row in HospitalFile.open(rejects, wishes).rows() if (it := row.record) is not None
    ]
    assert len(names) == 1


async def test_rows_that_were_rejected_for_their_cells_are_rejected_again(path: Path) -> None:
    path.write_text(path.read_text().replace("1.009", "many").replace("Clinic 20", ""))
    strict = replace(MOH, strict=True)
    rejects = await reject(path, 11, 22, wishes=strict)
    assert records(rejects) == [None, None]
    rejects.write_text(rejects.read_text().replace("many", "9"))
    assert [record is None for record in records(rejects)] == [False, True]
    # Without it, the row was no reject.
    assert [record is None for record in records(await reject(path, 11, 22))] == [False, True]
