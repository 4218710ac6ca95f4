import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producers.files import HospitalFile
from producers.files.import_files import write_import_files
from tests.support.rejected_rows import write_profile_beside
from worker.contract.imports import ReportEntry


async def rejected(file: HospitalFile, line: int, *reasons: str) -> AsyncIterator[ReportEntry]:
    assert any(row.line == line for row in file.raw_rows())
    yield ReportEntry(line=line, status="rejected", reasons=list(reasons))


async def test_every_cell_of_a_row_that_is_too_long_is_in_the_rejects(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("code,name,city,beds\n1,Oak,X,4\nQ5,Hosp 5,X,5,extra,,last\n")
    for line in (3, 2):
        file = HospitalFile.open(path)
        (row,) = (row for row in file.rows() if row.record is None)
        assert row.line == line
        assert row.reasons[0].endswith("; after the last column: 'extra | | last'")
        written = await write_import_files(file, rejected(file, line, "too long"), tmp_path / "import")
        assert written.rejects is not None
        assert written.rejects.read_text().splitlines() == [
            "import_line,import_reason,code,name,city,beds",
            "3,too long,Q5,Hosp 5,X,5,extra,,last",
        ]
        # The row is rejected again as long as it is not corrected.
        written.rejects.with_name("profile.toml").rename(tmp_path / "profile.toml")
        path = written.rejects.rename(tmp_path / "corrected.csv")
        with path.open("a") as corrected:
            corrected.write("4,x,Q6,Elm,Y,6\n")


def test_rows_that_are_all_too_long_are_rejected_again(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("import_line,import_reason,code,name\n3,too long,Q5,Hosp 5,extra\n")
    write_profile_beside(path)
    (row,) = HospitalFile.open(path).rows()
    assert row.reasons[0].startswith("has 5 cells, but the header has 4")


@pytest.mark.parametrize("read_before", [True, False])
@pytest.mark.parametrize("defects", [3, 5_100])
async def test_the_rejects_are_those_of_the_reader_and_of_the_registry_in_the_order_of_lines(
    tmp_path: Path, *, read_before: bool, defects: int
) -> None:
    path = tmp_path / "list.csv"
    # Every third row has no name. Of 5,100 long ones, only the first are kept from the first pass.
    lines = [
        f",{'x' * 1_500}" if number % 3 == 0 else f"Oak {number},{number}" for number in range(2, 3 * defects + 2)
    ]
    path.write_text("\n".join(["name,city", *lines]) + "\n")
    file = HospitalFile.open(path)
    unread = [
        row.line for row in (file.rows() if read_before else HospitalFile.open(path).rows()) if not row.record
    ]
    assert len(unread) == defects
    assert (file.rejected_row(unread[0]) is not None) is read_before
    assert (file.rejected_row(unread[-1]) is not None) is (read_before and defects == 3)
    collisions = [line for line in range(5, 3 * defects, 1_000) if line not in unread]

    async def entries() -> AsyncIterator[ReportEntry]:
        for line in range(2, 3 * defects + 2):
            if line in unread or line in collisions:
                yield ReportEntry(line=line, status="rejected" if line in unread else "collision", reasons=["why"])
            elif line % 3 == 1:
                yield ReportEntry(line=line, status="kept")

    written = await write_import_files(file, entries(), tmp_path / "import")

    assert written.rejects is not None
    with written.rejects.open(newline="") as rejects:
        found = [(int(line), cells) for line, _, *cells in list(csv.reader(rejects))[1:]]
    assert found == [(line, lines[line - 2].split(",")) for line in sorted({*unread, *collisions})]


async def test_an_entry_on_a_line_without_a_row_takes_no_other_row_for_it(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,city\nOak,X\n\n\nElm,Z\n")

    async def entries() -> AsyncIterator[ReportEntry]:
        yield ReportEntry(line=3, status="collision", reasons=["why"])
        yield ReportEntry(line=5, status="collision", reasons=["why"])

    written = await write_import_files(HospitalFile.open(path), entries(), tmp_path / "import")

    assert (written.entries, written.rejected) == (2, 1)
    assert written.rejects is not None
    assert written.rejects.read_text().splitlines()[1:] == ["5,why,Elm,Z"]


async def test_a_report_on_rejected_rows_takes_no_second_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,city\nOak,X\n,Y\nElm,Z\n")
    file = HospitalFile.open(path)
    assert [row.line for row in file.rows() if row.record is None] == [3]

    async def entries() -> AsyncIterator[ReportEntry]:
        yield ReportEntry(line=2, status="kept")
        yield ReportEntry(line=3, status="rejected", reasons=["why"])

    monkeypatch.delattr(HospitalFile, "raw_rows")
    written = await write_import_files(file, entries(), tmp_path / "import")

    assert (written.entries, written.rejected) == (2, 1)


async def test_what_is_written_after_an_import_leaves_its_notes_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    # The quotation marks of cp1252 are changed, and noted with their number.
    path.write_text("name,beds\nSt Mary\u0092s,1\n-,4\nSt Jude\u0092s,5\n", encoding="utf-8")
    file = HospitalFile.open(path)
    rows = list(file.rows())
    noted = file.notes
    assert any(note.startswith("hospital_name: ") and "2 cells" in note for note in noted)

    async def entries() -> AsyncIterator[ReportEntry]:
        yield ReportEntry(line=3, status="rejected", reasons=list(rows[1].reasons))

    written = await write_import_files(file, entries(), tmp_path / "import")

    assert file.notes == noted
    assert written.rejects is not None
    assert written.rejects.read_text().splitlines()[1:] == ["3,hospital_name: is missing ('-'),-,4"]
    assert json.loads((tmp_path / "import" / "report.ndjson").read_text())["line"] == 3
