import asyncio
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from producers.commands.support import DONE, INTERRUPTED, NOTHING, PARTLY
from tests.support.rejected_rows import write_profile_beside
from worker.contract import IngestHospitals, RecordStatus
from worker.contract.imports import OpenImport, PreviewHospitals, ReadImportReport
from worker.errors import OutageError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("Facility Name,Facility ID,beds,extra\nA,1,5,x\n,2,7,x\nB,3,many,x\n")
    return path


def fates(summary: dict[str, Any]) -> dict[str, int]:
    words = ("created", "merged", "replaced", "same", "kept", "newer_stored", "registered")
    return {it: summary[it] for it in (*words, "collision", "conflict", "rejected", "unaccounted") if summary[it]}


def test_each_row_has_one_fate_and_they_add_up(run: Run, path: Path, producer: Any) -> None:
    status, out, _ = run("ingest", path, "--source", "cms", "--json")
    summary = json.loads(out)
    assert (status, summary["rows"], summary["state"]) == (PARTLY, 3, "finished")
    assert fates(summary) == {"created": 2, "rejected": 1}
    assert summary["left_out"] == {"beds": 1}
    assert summary["columns_left_out"] == ["extra"]
    assert summary["columns"]["external_id"] == ["Facility ID"]


def test_the_report_and_the_rejects_are_in_one_folder_beside_the_file(run: Run, path: Path) -> None:
    summary = json.loads(run("ingest", path, "--source", "cms", "--json")[1])
    folder = path.parent / summary["import"]
    assert summary["rejects"] == str(folder / "rejects.csv")
    assert (folder / "rejects.csv").read_text().splitlines() == [
        "import_line,import_reason,Facility Name,Facility ID,beds,extra",
        "3,hospital_name: is missing,,2,7,x",
    ]
    lines = [json.loads(line) for line in (folder / "report.ndjson").read_text().splitlines()]
    assert [(entry["line"], entry["status"]) for entry in lines] == [(3, "rejected"), (4, "created")]


@pytest.mark.parametrize(("columns", "mode", "said"), [
    ("import_line,import_reason,name", "merge", True),
    ("import_line,import_reason,name", "keep", False),
    ("number,remark,name", "merge", False),
])  # fmt: skip
def test_it_is_said_that_collided_rows_are_loaded_otherwise_than_asked(
    run: Run, path: Path, columns: str, mode: str, *, said: bool
) -> None:
    path.write_text(f"{columns}\n2,collision: line 3,Oak\n5,collision: line 3,Elm\n")
    write_profile_beside(path)
    err = run("ingest", path, "--on-existing", mode)[2]
    assert ("rows that were in collision are loaded with --on-existing keep" in err) == said


def test_the_report_is_written_to_the_named_folder_as_csv(run: Run, path: Path, tmp_path: Path) -> None:
    out = run("ingest", path, "--report", tmp_path / "out", "--report-csv", "--json")[1]
    assert json.loads(out)["report"] == str(tmp_path / "out" / json.loads(out)["import"] / "report.csv")


def test_a_file_without_faults_exits_with_0_and_leaves_nothing(run: Run, path: Path) -> None:
    path.write_text("name\nA\nB\n")
    assert run("ingest", path)[0] == DONE
    status, out, _ = run("ingest", path, "--json")
    assert (status, fates(json.loads(out))) == (DONE, {"same": 2})
    assert list(path.parent.iterdir()) == [path]


def test_a_corrected_rejects_file_is_ingested(run: Run, path: Path) -> None:
    rejects = Path(json.loads(run("ingest", path, "--source", "cms", "--json")[1])["rejects"])
    rejects.write_text(rejects.read_text().replace("missing,,", "missing,C,"))
    status, out, _ = run("ingest", rejects, "--source", "cms", "--json")
    assert (status, fates(json.loads(out))) == (DONE, {"created": 1})
    assert "import_line" not in json.loads(out)["columns_left_out"]


def test_corrected_rejects_keep_the_identity_that_they_have_in_their_list(run: Run, path: Path) -> None:
    # The code of two rows that differ is the same; among the rejected rows each is different.
    rows = [f"Clinic {number},S{min(number, 58)},Town {number}" for number in range(60)]
    for number in (3, 5, 7):
        rows[number] = f"-,S{number},Town {number}"
    path.write_text("Facility Name,facility_code,City\n" + "\n".join(rows))
    rejects = Path(json.loads(run("ingest", path, "--source", "sub", "--json")[1])["rejects"])
    for file in (rejects, path):
        lines = file.read_text().splitlines()
        file.write_text("\n".join(re.sub(r"-,S(\d+),", r"Clinic \1,S\1,", line) for line in lines))
    status, out, _ = run("ingest", rejects, "--json")
    assert (status, fates(json.loads(out))) == (DONE, {"created": 3})
    assert any(str(rejects.with_name("profile.toml")) in note for note in json.loads(out)["notes"])
    status, out, _ = run("ingest", path, "--source", "sub", "--json")
    assert (status, fates(json.loads(out))) == (DONE, {"same": 60})


def test_strict_rejects_a_row_with_an_unreadable_cell(run: Run, path: Path) -> None:
    summary = json.loads(run("ingest", path, "--source", "cms", "--strict", "--json")[1])
    assert fates(summary) == {"created": 1, "rejected": 2}


def test_nothing_applied_exits_with_2(run: Run, path: Path) -> None:
    path.write_text("name,beds\n,1\n")
    assert run("ingest", path)[0] == NOTHING


def test_the_table_shows_what_counts(run: Run, path: Path) -> None:
    _, out, err = run("ingest", path, "--source", "cms", "--on-existing", "replace")
    assert out.index("rows") < out.index("created") < out.index("rejected") < out.index("cells left out")
    assert "unaccounted" not in out
    assert "\x1b" not in out + err


def test_several_files_are_imported_and_a_bad_one_does_not_stop_the_others(
    run: Run, path: Path, tmp_path: Path, producer: Any
) -> None:
    (tmp_path / "bad.csv").write_bytes(b"")
    status, _, err = run("ingest", tmp_path, "--source", "cms")
    assert status == PARTLY
    assert "bad.csv: is empty" in err
    assert len(producer.imports.documents) == 1
    # What the first import has left in the folder is not a list.
    assert run("ingest", tmp_path, "--source", "cms")[2].count("is empty") == 1
    assert len(producer.imports.documents) == 2


def test_rows_of_a_dead_job_are_unaccounted_and_the_job_is_named(run: Run, path: Path, producer: Any) -> None:
    async def die(payload: Any) -> Any:
        if isinstance(payload, IngestHospitals):
            return None
        return await producer.successful_answer(payload)

    producer.answer = die
    status, out, err = run("ingest", path, "--json")
    summary = json.loads(out)
    assert (status, fates(summary)) == (NOTHING, {"unaccounted": 3})
    assert summary["failed_jobs"] == [f"ingest_hospitals:{summary['import']}:0"]
    assert "hospital-worker dead list" in err


def test_an_interrupted_import_says_how_to_resume_and_the_same_command_resumes(
    run: Run, path: Path, producer: Any
) -> None:
    async def interrupt(payload: Any) -> Any:
        if isinstance(payload, IngestHospitals):
            signal.raise_signal(signal.SIGINT)
            return await asyncio.Event().wait()
        return await producer.successful_answer(payload)

    producer.answer = interrupt
    status, out, err = run("ingest", path, "--json")
    (import_id,) = producer.imports.documents
    assert (status, json.loads(out)["state"]) == (INTERRUPTED, "running")
    assert f"continue with: hospital-producer imports resume {import_id}" in err
    producer.answer = producer.successful_answer
    producer.imports.batch(import_id, producer)._progress = None
    summary = json.loads(run("ingest", path, "--json")[1])
    assert (summary["import"], summary["resumed"], fates(summary)) == (
        import_id,
        True,
        {"created": 2, "rejected": 1},
    )


@pytest.mark.parametrize("interrupts", [False, True], ids=["no worker", "ctrl-c"])
def test_an_import_that_no_worker_has_begun_is_not_begun_later(
    run: Run, path: Path, producer: Any, interrupts: bool
) -> None:
    async def keep_waiting(payload: Any) -> Any:
        if isinstance(payload, PreviewHospitals):
            return await producer.successful_answer(payload)
        if not interrupts:
            raise TimeoutError("open_import:x: still queued after 3 s")
        signal.raise_signal(signal.SIGINT)
        return await asyncio.Event().wait()

    producer.answer = keep_waiting
    said = {
        False: (NOTHING, "", "hospital-producer: no worker has answered within 3 s; start a worker\n"),
        True: (INTERRUPTED, "", "hospital-producer: interrupted before any row was sent\n"),
    }
    assert run("ingest", path, "--wait", "3") == said[interrupts]
    assert [type(it) for it in producer.aborted] == [type(it) for it in producer.payloads[1:]] == [OpenImport]


def test_a_report_that_no_worker_reads_is_reported_in_one_line(run: Run, path: Path, producer: Any) -> None:
    async def be_late(payload: Any) -> Any:
        if isinstance(payload, ReadImportReport):
            raise TimeoutError("read_import_report:x: still queued after 3 s")
        return await producer.successful_answer(payload)

    producer.answer = be_late
    status, _, err = run("ingest", path)
    (import_id,) = producer.imports.documents
    late = "hospital-producer: no worker has answered within {} s; start a worker"
    next_step = f"; write its report with: hospital-producer imports report {import_id}"
    assert (status, err.splitlines()[-1]) == (PARTLY, late.format(120) + next_step)
    assert run("imports", "report", import_id, "--wait", "3")[::2] == (NOTHING, late.format(3) + "\n")


def test_an_import_that_is_interrupted_at_its_end_says_how_to_get_its_report(
    run: Run, path: Path, producer: Any
) -> None:
    async def interrupt(payload: Any) -> Any:
        if isinstance(payload, ReadImportReport):
            signal.raise_signal(signal.SIGINT)
            return await asyncio.Event().wait()
        return await producer.successful_answer(payload)

    producer.answer = interrupt
    status, out, err = run("ingest", path, "--json")
    summary = json.loads(out)
    assert (status, summary["state"], summary["report"]) == (INTERRUPTED, "finished", None)
    assert f"interrupted; write its report with: hospital-producer imports report {summary['import']}\n" in err


def test_an_import_is_resumed_by_its_id(run: Run, path: Path, producer: Any) -> None:
    async def fail(payload: Any) -> Any:
        if isinstance(payload, IngestHospitals):
            raise OutageError("Redis has gone")
        return await producer.successful_answer(payload)

    producer.answer = fail
    folder = path.with_name("the reports")
    status, _, err = run("ingest", path, "--source", "cms", "--report", folder, "--report-csv")
    (import_id,) = producer.imports.documents
    assert status == PARTLY
    command = f"hospital-producer imports resume {import_id} --report '{folder}' --report-csv"
    assert f"Redis has gone; continue with: {command}\n" in err
    producer.answer = producer.successful_answer
    producer.imports.batch(import_id, producer)._progress = None
    status, out, _ = run("imports", "resume", import_id, "--json")
    assert (status, json.loads(out)["import"]) == (PARTLY, import_id)
    assert fates(json.loads(out)) == {"created": 2, "rejected": 1}
    assert producer.imports.documents[import_id].state == "finished"
    assert run("imports", "resume", import_id)[0] == NOTHING


def test_chunks_that_redis_loses_meanwhile_are_enqueued_again(run: Run, path: Path, producer: Any) -> None:
    path.write_text("name\n" + "".join(f"Hospital {number}\n" for number in range(3_001)))
    chunks: list[int | None] = []

    async def lose(payload: Any) -> Any:
        if isinstance(payload, IngestHospitals):
            chunks.append(payload.chunk)
            if chunks == [0, 1, 2]:
                producer.imports.batch(payload.import_id, producer).lose("1")
        return await producer.successful_answer(payload)

    producer.answer = lose
    assert json.loads(run("ingest", path, "--json")[1])["state"] == "finished"
    assert chunks == [0, 1, 2, 1, 3]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda it: it.write_text(it.read_text().replace("Hospital", "Clinic")),
            "it had 2,100 rows and {} bytes at",
        ),
        (lambda it: it.write_text(it.read_text()[:20_000]), "1,"),
        (lambda it: it.write_text(it.read_text() + "Another\n" * 40_000), "42,100 rows were sent"),
        (lambda it: it.unlink(), "cannot be read: No such file"),
        (lambda it: it.write_text(""), "is empty"),
    ],
    ids=["other", "shorter", "longer", "gone", "empty"],
)
def test_a_file_that_changes_while_it_is_read_says_so(
    run: Run, path: Path, producer: Any, change: Callable[[Path], object], why: str
) -> None:
    path.write_text("name\n" + "".join(f"Hospital {number}\n" for number in range(2_100)))
    size = path.stat().st_size

    async def write(payload: Any) -> Any:
        if isinstance(payload, IngestHospitals) and payload.chunk == 0:
            change(path)
        return await producer.successful_answer(payload)

    producer.answer = write
    status, out, err = run("ingest", path, "--json")
    summary = json.loads(out)
    assert (status, summary["state"]) == (PARTLY, "finished")
    assert summary["trouble"] in err
    assert "the file has changed while it was read" in summary["trouble"]
    assert why.format(f"{size:,}") in summary["trouble"]


def test_another_file_does_not_resume_an_import(run: Run, path: Path, tmp_path: Path, producer: Any) -> None:
    run("ingest", path)
    (import_id,) = producer.imports.documents
    other = tmp_path / "other.csv"
    other.write_text(path.read_text() + "D,9,1,x\n")
    status, _, err = run("imports", "report", import_id, other)
    assert (status, "its content differs" in err) == (NOTHING, True)


def test_imports_are_listed_shown_and_reported_again(run: Run, path: Path, tmp_path: Path, producer: Any) -> None:
    run("ingest", path, "--source", "cms")
    (import_id,) = producer.imports.documents
    assert import_id in run("imports", "list")[1]
    assert producer.payloads[-1].limit == 20
    assert import_id in run("imports", "list", "--limit", "7")[1]
    assert producer.payloads[-1].limit == 7
    shown = json.loads(run("imports", "show", import_id, "--json")[1])
    assert (shown["state"], shown["created"], shown["rejected"]) == ("finished", 2, 1)
    written = json.loads(run("imports", "report", import_id, path, "--report", tmp_path / "again", "--json")[1])
    assert (written["entries"], written["rows_to_correct"]) == (2, 1)
    assert Path(written["rejects"]).parent == tmp_path / "again" / import_id
    assert "no import nope" in run("imports", "show", "nope")[2]


def test_an_import_that_has_finished_is_neither_cancelled_nor_resumed(run: Run, path: Path, producer: Any) -> None:
    run("ingest", path)
    (import_id,) = producer.imports.documents
    status, out, err = run("imports", "cancel", import_id, "--json")
    assert (status, json.loads(out)["state"]) == (NOTHING, "finished")
    assert "has finished, so nothing was cancelled" in err
    status, out, err = run("imports", "resume", import_id)
    assert (status, out) == (NOTHING, "")
    assert f"import {import_id} is finished" in err
    assert producer.actions == []


def test_a_dry_run_changes_nothing_and_says_what_would_happen(run: Run, path: Path, producer: Any) -> None:
    path.write_text("name,beds\nA,1\nA,1\nB,many\n,2\n")
    status, out, _ = run("ingest", path, "--dry-run", "--json")
    found = json.loads(out)
    assert (status, found["rows"], found["rejected"], found["repeated"]) == (PARTLY, 4, 1, 1)
    assert (found["registry"]["created"], found["registry"]["rejected"]) == (2, 1)
    assert producer.imports.documents == {}


def test_inspect_fits_80_columns_and_needs_no_registry(run: Run, path: Path, producer: Any) -> None:
    producer.refuse = OutageError("Redis is away")
    status, out, _ = run("inspect", path, "--source", "cms")
    assert status == DONE
    assert "registry: not compared: Redis is away" in out
    assert "columns left out: extra" in out
    assert "not read: beds, 1 cells" in out
    # A path is never broken over lines.
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_inspect_cuts_examples_rather_than_names_of_fields_and_columns(run: Run, path: Path) -> None:
    header = ["Emergency Services", "Hospital Ownership", "Facility Name", "Address"]
    path.write_text(f"{','.join(header)}\nyes,{'Government ' * 9},A,{'Main Street ' * 9}\n")
    lines = run("inspect", path)[1].splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("field "))
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[begin + 1 :]]
    assert [row[:2] for row in cells[:4]] == [
        ["hospital_name", "Facility Name"],
        ["address", "Address"],
        ["ownership", "Hospital Ownership"],
        ["emergency_services", "Emergency Services"],
    ]


@pytest.mark.parametrize("status", ["kept", "newer_stored", "registered", "conflict"])
def test_a_list_that_would_change_nothing_is_not_refused(
    run: Run, path: Path, producer: Any, status: RecordStatus
) -> None:
    async def answer(payload: Any) -> Any:
        outcome = await producer.successful_answer(payload)
        if isinstance(payload, PreviewHospitals):
            return outcome.model_copy(update={"statuses": [status] * len(payload.records)})
        return outcome

    producer.answer = answer
    path.write_text("Facility Name,Facility ID\nA,1\nB,2\n")
    code, out, _ = run("inspect", path, "--source", "cms", "--json")
    assert (code, json.loads(out)["registry"][status]) == (DONE, 2)
    assert run("ingest", path, "--source", "cms", "--dry-run")[0] == PARTLY


def test_inspect_finds_collisions(run: Run, path: Path) -> None:
    path.write_text("source,external_id,name,city\nx,1,A,P\nx,2,B,Q\nx,1,C,R\n")
    found = json.loads(run("inspect", path, "--json")[1])
    assert found["collisions"] == found["registry"]["collision"] == 1


def test_a_profile_is_saved_used_and_compared(run: Run, path: Path, tmp_path: Path, producer: Any) -> None:
    profile = tmp_path / "list.toml"
    run("inspect", path, "--source", "cms", "--map", "city=extra", "--save", profile)
    path.write_text("Facility Name,Facility ID,extra,new\nA,1,Paris,x\n")
    status, out, _ = run("ingest", path, "--profile", profile, "--json")
    summary = json.loads(out)
    assert (status, summary["columns"]["city"]) == (DONE, ["extra"])
    assert "columns that the profile does not know: 'new'" in summary["notes"]
    assert producer.payloads[-1] is not None
    path.write_text("Facility Name,extra\nA,Paris\n")
    assert run("ingest", path, "--profile", profile)[0] == NOTHING
