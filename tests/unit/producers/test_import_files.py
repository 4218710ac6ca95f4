import json
from collections.abc import AsyncIterator
from pathlib import Path

from producers.files import HospitalFile
from producers.files.import_files import write_import_files
from worker.contract.imports import ReportEntry


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
    assert written.rejects.read_text().splitlines()[1:] == ["3,hospital_name: is missing,-,4"]
    assert json.loads((tmp_path / "import" / "report.ndjson").read_text())["line"] == 3
