import json
import os
from pathlib import Path

import pytest

from producers.files import FileError, FileRow, HospitalFile, RejectWriter, rejects_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def load(path: Path) -> RejectWriter:
    with RejectWriter(rejects_path(path)) as writer:
        for row in HospitalFile.open(path).rows():
            if row.reasons:
                writer.write(row, row.reasons)
    return writer


def test_rejects_contain_line_reasons_and_row(path: Path) -> None:
    path.write_text('name,beds,city\nA,1,P\n-,3,Б\n"C,3,1\n')
    writer = load(path)
    assert writer.path.name == "list.csv.rejects.ndjson"
    assert [json.loads(line) for line in writer.path.read_text(encoding="utf-8").splitlines()] == [
        {
            "line": 3,
            "reasons": ["hospital_name: is missing ('-')"],
            "row": {"name": "-", "beds": "3", "city": "Б"},
        },
        {"line": 4, "reasons": ["a quote is opened but never closed"], "text": '"C,3,1'},
    ]
    assert writer.count == 2
    assert [line for line, _ in writer.first] == [3, 4]


def test_corrected_rejects_can_be_loaded(path: Path) -> None:
    path.write_text("name,beds\nA,3\n-,4\n")
    rejects = load(path).path
    rejects.write_text(rejects.read_text().replace('"-"', '"B"'))
    (row,) = HospitalFile.open(rejects).rows()
    assert row.record is not None
    assert (row.record.hospital_name, row.record.beds) == ("B", 4)


def test_rejects_of_an_earlier_run_are_renamed_and_no_empty_file_is_left(path: Path) -> None:
    path.write_text("name,beds\nA,3\n-,4\n")
    rejects = load(path).path
    for number in (1, 2):
        corrected = rejects.read_text().replace('"-"', '"B"')
        rejects.write_text(corrected)
        again = load(path)
        assert again.kept_earlier == path.with_name(f"list.csv.rejects.{number}.ndjson")
        assert again.kept_earlier.read_text() == corrected
    path.write_text("name,beds\nA,1\n")
    assert not load(path).path.exists()


def test_a_file_with_other_content_is_not_replaced(path: Path) -> None:
    path.write_text("name\nA\n")
    other = rejects_path(path)
    other.write_text('{"hospital_name": "precious"}\n')
    with pytest.raises(FileError, match="contains something other"):
        load(path)
    assert other.read_text() == '{"hospital_name": "precious"}\n'


def test_a_path_that_cannot_be_written_is_reported(path: Path, tmp_path: Path) -> None:
    path.write_text("name,beds\nA,3\n-,4\n")
    with pytest.raises(FileError, match="--rejects"), RejectWriter(tmp_path / "none" / "rejects"):
        pass


def write_one(writer: RejectWriter) -> None:
    writer.write(FileRow(line=2, reasons=(), left_out=(), known=None, fields={"name": "A"}, text=None), ("wrong",))


def test_a_device_is_written_to_and_not_renamed(path: Path) -> None:
    path.symlink_to("/dev/null")
    with RejectWriter(path) as writer:
        write_one(writer)
    assert (writer.count, writer.kept_earlier) == (1, None)
    assert path.is_char_device()
    assert list(path.parent.iterdir()) == [path]


def test_a_pipe_is_refused(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(FileError, match="is not a regular file"), RejectWriter(path):
        pass
    assert path.is_fifo()


def test_a_full_disk_is_reported_at_the_row_that_does_not_fit(path: Path) -> None:
    path.symlink_to("/dev/full")
    with pytest.raises(FileError, match="cannot be written: No space left"), RejectWriter(path) as writer:
        write_one(writer)
    assert writer.count == 0


def test_two_concurrent_loads_keep_the_rejects_of_both(path: Path) -> None:
    with RejectWriter(path) as one, RejectWriter(path) as other:
        write_one(one)
        write_one(other)
        write_one(one)
    assert other.kept_earlier is not None
    assert len(other.kept_earlier.read_text().splitlines()) == 2
    assert len(path.read_text().splitlines()) == 1
