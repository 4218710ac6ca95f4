import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from producers import cli
from worker.errors import (
    ConfigurationError,
    JobNotFound,
    OutageError,
    RemoteError,
    UntrustedEnvelope,
    WritesRefused,
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(producer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(cli, "connect", lambda: producer)

    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hospital-producer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, shown.out, shown.err

    return run_command


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("Facility Name,Facility ID,beds,extra\nA,1,5,x\nA,2,many,x\nB,3,,x\n")
    return path


def test_ingest_reports_the_result_of_all_rows(run: Run, path: Path, producer: Any) -> None:
    status, out, _ = run("ingest", path, "--source", "cms", "--json")
    summary = json.loads(out)
    assert status == cli.PARTLY
    assert {key: summary[key] for key in ("rows", "created", "merged", "unchanged", "rejected", "lost")} == {
        "rows": 3,
        "created": 2,
        "merged": 0,
        "unchanged": 0,
        "rejected": 1,
        "lost": 0,
    }
    assert summary["columns_left_out"] == ["extra"]
    assert summary["rejects_file"] == f"{path}.rejects.ndjson"
    assert [record["external_id"] for record in producer.payloads[0].records] == ["1", "3"]


def test_the_table_is_plain_text_without_a_terminal(run: Run, path: Path) -> None:
    status, out, err = run("ingest", path, "--source", "cms", "--on-existing", "merge")
    assert status == cli.PARTLY
    assert out.index("rows") < out.index("created") < out.index("rejected")
    assert "\x1b" not in out + err
    assert "line 3: beds: expected a whole number" in err


def test_a_valid_file_exits_with_0_also_when_loaded_again(run: Run, path: Path, producer: Any) -> None:
    path.write_text("name\nA\nB\n")
    assert run("ingest", path)[0] == cli.DONE
    status, out, _ = run("ingest", path, "--json")
    assert (status, json.loads(out)["unchanged"]) == (cli.DONE, 2)


def test_the_table_shortens_long_lists_and_json_does_not(run: Run, path: Path) -> None:
    path.write_text("name," + ",".join(f"x{number}" for number in range(9)) + "\nA" + "," * 9 + "\n")
    assert "and 4 more" in run("ingest", path)[1]
    assert len(json.loads(run("ingest", path, "--json")[1])["columns_left_out"]) == 9


def test_an_identifier_column_without_a_source_is_reported(run: Run, path: Path) -> None:
    assert "column 'Facility ID' is not used" in run("ingest", path)[2]


def test_a_dry_run_sends_nothing(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cli, "connect")
    status, out, _ = run("ingest", path, "--dry-run", "--json")
    assert (status, json.loads(out)["fit"], json.loads(out)["rejected"]) == (cli.PARTLY, 2, 1)
    assert Path(f"{path}.rejects.ndjson").exists()


def test_a_file_without_valid_rows_exits_with_2(run: Run, path: Path) -> None:
    path.write_text("name,beds\nA,x\n")
    assert run("ingest", path)[0] == cli.NOTHING
    assert run("ingest", path, "--dry-run")[0] == cli.NOTHING


def test_rejects_are_written_to_the_given_file(run: Run, path: Path, tmp_path: Path) -> None:
    run("ingest", path, "--rejects", tmp_path / "bad.ndjson")
    assert (tmp_path / "bad.ndjson").exists()
    assert not Path(f"{path}.rejects.ndjson").exists()


def test_rejects_are_never_written_to_the_input_file(run: Run, path: Path) -> None:
    before = path.read_text()
    status, _, err = run("ingest", path, "--source", "cms", "--rejects", path, "--dry-run")
    assert (status, err.count("\n")) == (cli.NOTHING, 1)
    assert "is the input file" in err
    assert path.read_text() == before


def test_the_mapping_is_used(run: Run, path: Path, producer: Any) -> None:
    run("ingest", path, "--map", "hospital_name=extra", "--map", "city=Facility Name", "--source", "cms")
    assert producer.payloads[0].records[0]["hospital_name"] == "x"
    assert producer.payloads[0].records[0]["city"] == "A"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "Missing command"),
        (("ingest",), "FILE"),
        (("ingest", "LIST", "--zork"), "--zork"),
        (("ingest", "LIST", "--map", "beds"), "--map takes FIELD=…"),
        (("ingest", "LIST", "--map", "bedz=x"), "unknown field 'bedz'"),
        (("ingest", "none.csv"), "No such file"),
        (("ingest", "LIST", "--encoding", "zork"), "no such text encoding"),
        (("register", "--actor", "a", "--reason", "b"), "either --name"),
        (("register", "--actor", "a", "--reason", "b", "--name", "A", "--file", "LIST"), "either --name"),
        (("register", "--actor", "a", "--reason", "b", "--name", "A", "--set", "beds=x"), "beds: expected"),
        (("register", "--actor", "a", "--reason", " ", "--name", "A"), "reason: "),
        (("generate", "LIST"), "already exists"),
        (("generate", "none/list.ndjson.gz"), "leave out .gz"),
    ],
)
def test_a_known_error_is_one_line(run: Run, path: Path, arguments: tuple[str, ...], problem: str) -> None:
    status, out, err = run(*(str(path) if argument == "LIST" else argument for argument in arguments))
    assert (status, out) == (cli.NOTHING, "")
    assert problem in err
    assert err.startswith("hospital-producer: ")
    assert err.count("\n") == 1


def test_a_configuration_error_is_one_line(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConfigurationError("REDIS_URL: wrong\nMONGODB_URL: wrong")

    monkeypatch.setattr(cli, "connect", refuse)
    assert run("status", "x")[::2] == (cli.NOTHING, "hospital-producer: REDIS_URL: wrong; MONGODB_URL: wrong\n")


def test_the_reason_for_an_early_end_is_printed_after_the_summary(run: Run, path: Path, producer: Any) -> None:
    async def answer(payload: Any) -> Any:
        raise TimeoutError

    producer.answer = answer
    status, out, err = run("ingest", path, "--wait", "1.5", "--json")
    assert (status, json.loads(out)["pending"]) == (cli.PARTLY, 2)
    assert "no outcome within 1.5 s" in err


@pytest.mark.parametrize(
    ("error", "expected"), [(OutageError("no answer"), cli.PARTLY), (WritesRefused("full"), cli.NOTHING)]
)
def test_a_load_that_may_be_queued_is_not_reported_as_nothing_done(
    run: Run, path: Path, producer: Any, error: Exception, expected: int
) -> None:
    producer.refuse = error
    status, out, err = run("ingest", path, "--source", "cms", "--json")
    assert (status, json.loads(out)["unconfirmed"]) == (expected, 2)
    assert str(error) in err


def test_an_interrupt_exits_with_130_and_a_summary(run: Run, path: Path, producer: Any) -> None:
    async def answer(payload: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return await asyncio.Event().wait()

    producer.answer = answer
    status, out, _ = run("ingest", path, "--json")
    summary = json.loads(out)
    assert (status, summary["rows"], summary["pending"], summary["rejected"]) == (cli.INTERRUPTED, 3, 2, 1)
    assert summary["pending_jobs"] == ["ingest_hospitals:1"]


@pytest.fixture
def job_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id that the next single registration gets."""
    monkeypatch.setattr("producers.cli.secrets.token_urlsafe", lambda _length: "key")
    return "register_hospital:key"


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError,
        OutageError("unavailable"),
        UntrustedEnvelope("not signed"),
        JobNotFound("gone"),
        ConfigurationError("password changed"),
    ],
)
def test_a_queued_registration_is_not_reported_as_nothing_done(
    run: Run, producer: Any, job_id: str, error: Exception
) -> None:
    async def answer(payload: Any) -> Any:
        raise error

    producer.answer = answer
    status, out, err = run("register", "--actor", "dr-ito", "--reason", "licence", "--name", "A")
    assert (status, out) == (cli.PARTLY, "")
    assert f"the queue has taken the job: hospital-producer status {job_id}" in err


def test_a_registration_that_may_be_queued_is_reported_with_its_id(run: Run, producer: Any, job_id: str) -> None:
    options = ("register", "--actor", "dr-ito", "--reason", "licence", "--name", "A")
    producer.refuse = OutageError("no answer for 30 s")
    status, _, err = run(*options)
    assert status == cli.PARTLY
    assert f"the queue may have taken the job: hospital-producer status {job_id}" in err
    producer.refuse = WritesRefused("memory is full")
    assert run(*options)[::2] == (cli.NOTHING, "hospital-producer: memory is full\n")


def test_one_hospital_is_registered(run: Run, producer: Any, job_id: str) -> None:
    options = ("--actor", "dr-ito", "--reason", "licence", "--name", "A", "--source", "cms", "--external-id", "7")
    status, out, _ = run("register", *options, "--set", "beds=12", "--set", "lat=x", "--json")
    assert (status, out) == (cli.NOTHING, "")
    status, out, _ = run("register", *options, "--set", "beds=12", "--json")
    assert status == cli.DONE
    assert json.loads(out) == {
        "job_id": job_id,
        "hospital_id": "cms:7",
        "status": "registered",
        "log_id": "log",
    }
    assert producer.payloads[0].record.beds == 12
    status, out, _ = run("register", *options)
    assert status == cli.PARTLY
    assert "conflict" in out


def test_a_failed_or_late_registration_is_reported_with_its_id(run: Run, producer: Any, job_id: str) -> None:
    options = ("register", "--actor", "dr-ito", "--reason", "licence", "--name", "A")

    async def fail(payload: Any) -> Any:
        raise RemoteError("TypeError", "broken")

    producer.answer = fail
    assert run(*options)[::2] == (cli.NOTHING, f"hospital-producer: {job_id} failed: TypeError: broken\n")

    async def be_late(payload: Any) -> Any:
        raise TimeoutError

    producer.answer = be_late
    status, _, err = run(*options)
    assert status == cli.PARTLY
    assert f"hospital-producer status {job_id}" in err


def test_an_interrupted_registration_is_reported_with_its_id(run: Run, producer: Any, job_id: str) -> None:
    async def answer(payload: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return await asyncio.Event().wait()

    producer.answer = answer
    status, _, err = run("register", "--actor", "a", "--reason", "b", "--name", "A")
    assert (status, err.count("\n")) == (cli.INTERRUPTED, 1)
    assert f"the queue may have taken the job: hospital-producer status {job_id}" in err


def test_a_file_is_registered(run: Run, path: Path) -> None:
    status, out, _ = run("register", "--actor", "a", "--reason", "b", "--file", path, "--source", "cms", "--json")
    summary = json.loads(out)
    assert (status, summary["registered"], summary["rejected"]) == (cli.PARTLY, 2, 1)


@dataclass
class Status:
    job_id: str
    state: str
    error: str | None = None


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("queued", cli.DONE),
        ("done", cli.DONE),
        ("failed", cli.PARTLY),
        ("dead", cli.PARTLY),
        ("unknown", cli.NOTHING),
    ],
)
def test_the_exit_code_of_status_depends_on_the_state(run: Run, producer: Any, state: str, status: int) -> None:
    producer.job_status = Status("x:1", state)
    ended, out, _ = run("status", "x:1", "--json")
    assert (ended, json.loads(out)) == (status, {"job_id": "x:1", "state": state})
    assert state in run("status", "x:1")[1]


def test_untrusted_text_cannot_control_the_terminal(run: Run, producer: Any, path: Path) -> None:
    hostile = "\x1b]0;x\x07\n2026 forged log line\x9b2J[red]x[/red]"
    producer.job_status = Status(hostile, "dead", error=hostile)
    _, shown, _ = run("status", "x:1")
    _, written, _ = run("status", "x:1", "--json")
    producer.refuse = ConfigurationError(hostile)
    _, _, printed = run("ingest", path, "--source", "cms")
    assert json.loads(written)["error"] == hostile
    assert not set("\x1b\x07\x9b") & set(shown + written + printed)
    assert "[red]x[/red]" in shown
    assert not any(line.lstrip("│ ").startswith("2026") for line in (shown + written + printed).splitlines())


def test_a_generated_file_can_be_ingested(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("generate", tmp_path / "sample.csv", "--rows", 1_500, "--seed", 5, "--json")
    truth = json.loads(out)
    assert (status, truth["rows"]) == (cli.DONE, 1_500)
    summary = json.loads(run("ingest", tmp_path / "sample.csv", "--json")[1])
    assert (summary["created"], summary["unchanged"], summary["rejected"]) == (
        truth["distinct"],
        truth["duplicates"],
        truth["bad"],
    )
    assert run("generate", tmp_path / "sample.csv", "--rows", 1, "--force")[0] == cli.DONE
    assert len((tmp_path / "sample.csv").read_text().splitlines()) == 2


def test_the_command_line_starts_without_queue_modules() -> None:
    code = "import sys, producers.cli; print([m for m in ('arq', 'redis', 'motor') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
