"""What the commands print fits 80 columns, and what a person copies is in one piece."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.contract import IngestHospitals

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder with a long name of several words" / "another folder that is inside it"
    folder.mkdir(parents=True)
    path = folder / "hospitals of the northern districts as of June 2025, corrected.csv"
    path.write_text("Facility Name,beds,extra\nA,1,x\nB,many,x\n,2,x\n")
    return path


@pytest.fixture
def import_id(run: Run, path: Path, producer: Any) -> str:
    run("ingest", path)
    (import_id,) = producer.imports.documents
    return str(import_id)


def test_the_list_of_imports_has_each_id_whole_and_the_file_gives_way(run: Run, import_id: str) -> None:
    lines = run("imports", "list")[1].splitlines()
    assert len(lines) == 2
    assert lines[1].split()[:3] == [import_id, "finished", "3"]
    assert lines[1].rstrip().endswith("…")


def test_a_list_without_room_for_the_other_columns_has_each_id_whole(
    run: Run, import_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert import_id in run("imports", "list")[1].split()


@pytest.mark.parametrize("command", ["show", "cancel", "report"])
def test_no_id_is_broken(run: Run, import_id: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert import_id in run("imports", command, import_id)[1]


def test_paths_are_in_one_piece(run: Run, path: Path, import_id: str) -> None:
    folder = path.parent / import_id
    assert str(path) in run("ingest", path)[1]
    assert run("inspect", path)[1].startswith(f"{path}:\n  csv, utf-8, delimiter ',', rows: 3\n")
    lines = run("imports", "report", import_id)[1].splitlines()
    assert f"report: {folder / 'report.ndjson'}" in lines
    assert f"rejects: {folder / 'rejects.csv'}" in lines


def test_what_fits_stays_in_the_table(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    _, out, _ = run("ingest", path)
    assert "report: " not in out
    assert "report.ndjson │" in out


def test_ids_of_failed_jobs_are_in_one_piece(run: Run, path: Path, producer: Any) -> None:
    async def die(payload: Any) -> Any:
        return None if isinstance(payload, IngestHospitals) else await producer.successful_answer(payload)

    producer.answer = die
    out = run("ingest", path)[1]
    (import_id,) = producer.imports.documents
    assert f"ingest_hospitals:{import_id}:0" in out


@pytest.mark.parametrize(("rows", "more"), [(5, ""), (6, " and 1 more"), (1_384, " and 1,379 more")])
def test_inspect_says_how_many_rows_it_does_not_list(run: Run, path: Path, rows: int, more: str) -> None:
    path.write_text("source,external_id,name,city\nx,1,A,P\n" + "x,1,B,Q\n" * rows + "x,2,,R\n" * rows)
    out = run("inspect", path)[1]
    joined = " ".join(out.split())
    assert f"collisions: {rows:,}, other hospitals" in joined
    assert f"5 with 2, 6 with 2, 7 with 2{more} their identifier is" in joined
    assert f" rejected: {rows:,} line " in joined
    listed = [line for line in out.splitlines() if line.startswith("  line ")]
    assert len(listed) == 5
    after = out.splitlines()[out.splitlines().index(listed[-1]) + 1]
    assert after == f" {more}" if more else " more" not in after


def test_inspect_breaks_no_text_that_has_room(run: Run, path: Path) -> None:
    path.write_text("name,lat,lon\nA,1.5,2.5\nB,2.5,3.5\n")
    lines = [line.split("  ") for line in run("inspect", path, "--source", "cms")[1].splitlines()]
    assert {"--source", "lat + lon"} <= {cell.strip() for line in lines for cell in line}
