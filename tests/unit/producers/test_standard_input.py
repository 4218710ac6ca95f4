import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from producers.commands.support import DONE, NOTHING, PARTLY
from worker.contract import IngestHospitals
from worker.errors import OutageError

Run = Callable[..., tuple[int, str, str]]
LIST = b"Facility Name,beds\nA,1\nB,many\n,2\n"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[bytes], None]:
    """Make `-` read the given bytes; the working folder is an empty one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    return give


def test_standard_input_is_called_so(run: Run, given: Callable[[bytes], None], producer: Any) -> None:
    given(LIST)
    status, out, err = run("ingest", "-")
    assert (status, out.splitlines()[0]) == (PARTLY, "Imported standard input")
    assert "hospital-producer-" not in out + err
    (imported,) = producer.imports.documents.values()
    assert imported.file.name == "standard input"
    assert (Path(imported.import_id) / "rejects.csv").exists()


def test_an_import_of_standard_input_is_reported_again_from_a_file(
    run: Run, given: Callable[[bytes], None], producer: Any, tmp_path: Path
) -> None:
    given(LIST)
    run("ingest", "-")
    (import_id,) = producer.imports.documents
    status, _, err = run("imports", "report", import_id)
    assert status == NOTHING
    assert "standard input: cannot be read again; name a file of the same content after the id" in err
    (tmp_path / "list.csv").write_bytes(LIST)
    assert run("imports", "report", import_id, tmp_path / "list.csv")[0] == DONE


def test_an_interrupted_import_of_standard_input_is_continued_from_a_file(
    run: Run, given: Callable[[bytes], None], producer: Any, tmp_path: Path
) -> None:
    async def fail(payload: Any) -> Any:
        if isinstance(payload, IngestHospitals):
            raise OutageError("Redis has gone")
        return await producer.successful_answer(payload)

    given(LIST)
    producer.answer = fail
    _, _, err = run("ingest", "-")
    (import_id,) = producer.imports.documents
    assert f"continue with: hospital-producer imports resume {import_id} FILE, a file of the same content\n" in err
    producer.answer = producer.successful_answer
    (tmp_path / "list.csv").write_bytes(LIST)
    assert run("imports", "resume", import_id, tmp_path / "list.csv")[0] == PARTLY


def test_an_error_in_standard_input_names_it(run: Run, given: Callable[[bytes], None]) -> None:
    given(b"")
    status, _, err = run("ingest", "-")
    assert (status, err) == (NOTHING, "hospital-producer: standard input: is empty\n")


def test_inspect_names_standard_input_and_how_to_use_the_profile(
    run: Run, given: Callable[[bytes], None], tmp_path: Path
) -> None:
    given(LIST)
    profile = tmp_path / "list.toml"
    _, out, err = run("inspect", "-", "--save", profile)
    assert out.startswith("standard input: csv, utf-8")
    assert f"use it with: ingest - --profile {profile}" in err


def test_members_of_an_archive_are_named_and_their_reports_are_kept(
    run: Run, given: Callable[[bytes], None]
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("north/a.csv", LIST)
        file.writestr("b.csv", LIST.replace(b"A", b"C"))
    given(archive.getvalue())
    _, out, _ = run("ingest", "-")
    titles = [line for line in out.splitlines() if line.startswith("Imported")]
    assert titles == ["Imported standard input/north/a.csv", "Imported standard input/b.csv"]
    assert len(list(Path.cwd().glob("*/rejects.csv"))) == 2


def test_a_file_of_the_same_name_is_shown_by_its_path(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "standard-input"
    path.write_bytes(LIST)
    assert json.loads(run("inspect", path, "--json")[1])["file"] == str(path)
