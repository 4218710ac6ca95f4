"""Each kind of list is read right, row by row and field by field."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from producers.file_options import takes_file_options
from producers.files import FileError, FileRow, FileWishes, HospitalFile
from tests.support.list_kinds import KINDS, Kind, Row
from worker.contract import HospitalRecord

READ = [kind for kind in KINDS if not kind.refusal]
REFUSED = [kind for kind in KINDS if kind.refusal]


@pytest.fixture
def opened(kind: Kind, tmp_path: Path) -> HospitalFile:
    return open_kind(kind, tmp_path)


def open_kind(kind: Kind, folder: Path) -> HospitalFile:
    path = folder / kind.file
    path.write_bytes(kind.content)
    return HospitalFile.open(path, wishes_of(kind))


def wishes_of(kind: Kind) -> FileWishes:
    """Return what the options of the command line say of the file."""
    given: list[FileWishes] = []

    @takes_file_options
    def command(wishes: FileWishes, *, on_existing: str = "keep") -> int:
        given.append(wishes)
        return len(on_existing)

    app = typer.Typer()
    app.command()(command)
    CliRunner().invoke(app, kind.options, catch_exceptions=False)
    (wishes,) = given
    return wishes


def said(record: HospitalRecord) -> dict[str, Any]:
    fields = record.model_dump(exclude_none=True)
    if record.location is not None:
        fields["location"] = {"type": "Point", "coordinates": list(record.location.coordinates)}
    return {"_id": record.hospital_id, **fields}


def as_row(row: FileRow) -> tuple[int, dict[str, Any], dict[str, str]]:
    left_out = {cell.field: cell.value for cell in row.left_out}
    return row.line, {} if row.record is None else said(row.record), left_out


def expected(row: Row) -> tuple[int, dict[str, Any], dict[str, str]]:
    return row.line, dict(row.stored), dict(row.left_out)


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.name)
def test_every_row_is_read_right(kind: Kind, opened: HospitalFile) -> None:
    assert [as_row(row) for row in opened.rows()] == [expected(row) for row in kind.rows]
    assert opened.columns.left_out == kind.columns_left_out


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.name)
def test_all_that_a_person_should_know_is_said_and_nothing_else(kind: Kind, opened: HospitalFile) -> None:
    rows = len(list(opened.rows()))
    notes = opened.notes
    assert [phrase for phrase in kind.notes if not any(phrase in note for note in notes)] == []
    assert [note for note in notes if not any(phrase in note for phrase in kind.notes)] == []
    assert (rows, len(notes)) == (opened.rows_read, len(kind.notes))


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.name)
def test_a_file_that_cannot_be_read_right_is_refused_with_the_way_out(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(FileError) as refused:
        open_kind(kind, tmp_path)
    assert [phrase for phrase in kind.refusal if phrase not in str(refused.value)] == []
    assert len(str(refused.value).splitlines()) == 1
