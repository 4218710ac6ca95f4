import io
import sys
import zipfile
from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.inputs import STANDARD_INPUT, input_files
from producers.files.opening import open_table


def found(*paths: Path) -> list[Path]:
    with input_files(paths) as files:
        return files


def test_a_folder_stands_for_its_files_and_an_archive_for_its_members(tmp_path: Path) -> None:
    for name in ("b.csv", "north/a.csv", ".hidden", "north/.git/config", "b.csv.rejects.ndjson", "~$open.xlsx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("name\nA\n")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for name in ("x.csv", "south/y.csv", "__MACOSX/x.csv"):
            archive.writestr(name, "name\nA\n")
    expected = ["b.csv", "c.zip/x.csv", "c.zip/south/y.csv", "north/a.csv"]
    assert found(tmp_path) == [tmp_path / name for name in expected]
    assert found(tmp_path / "b.csv", tmp_path) == [tmp_path / name for name in expected]


def test_an_archive_of_one_file_is_that_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("x.csv", "name\nA\n")
    assert found(tmp_path / "c.zip") == [tmp_path / "c.zip"]


def test_a_file_that_does_not_exist_is_left_to_whoever_opens_it(tmp_path: Path) -> None:
    assert found(tmp_path / "none.csv") == [tmp_path / "none.csv"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder without files"):
        found(tmp_path)


def test_standard_input_can_be_read_twice_and_is_removed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name\nA\n")))
    with input_files([STANDARD_INPUT]) as (path,):
        assert path.read_bytes() == path.read_bytes() == b"name\nA\n"
    assert not path.exists()


def test_an_archive_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", "name\nA\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.csv", "name\nB\n")
    assert found(path) == [path]
    for named in (path, path / "x.csv"):
        with pytest.raises(FileError, match="contains several files of the name"):
            open_table(named)


def test_the_report_of_an_import_is_no_list_of_its_folder_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "moh-20261127-210129-7cc5"
    report.mkdir()
    for folder in (tmp_path, report):
        (folder / "rejects.csv").write_text("name\nA\n")
    assert found(tmp_path) == [tmp_path / "rejects.csv"]
    assert f"note: {report} looks like the report of an import and is not read" in capsys.readouterr().err
    assert found(report) == [report / "rejects.csv"]
    assert capsys.readouterr().err == ""
