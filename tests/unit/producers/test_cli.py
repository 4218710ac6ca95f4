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

from producers.commands import support
from worker.errors import (
    ConfigurationError,
    JobNotFound,
    OutageError,
    RemoteError,
    UntrustedEnvelope,
    WritesRefused,
)
from worker.queue.scripts import key_used_twice

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("Facility Name,Facility ID,beds,extra\nA,1,5,x\n,2,9,x\nB,3,,x\n")
    return path


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
        (("register", "--actor", "a", "--reason", "b", "--name", "A", "--set", "beds=x"), "beds: is not a number"),
        (("register", "--actor", "a", "--reason", " ", "--name", "A"), "reason: "),
        (
            ("register", "--actor", "a", "--reason", "b", "--file", "LIST", "--idempotency-key", "a b"),
            "idempotency_key: ",
        ),
        (
            ("register", "--actor", "a", "--reason", "b", "--file", "LIST", "--idempotency-key", "k" * 184),
            "idempotency_key: ",
        ),
        (
            ("register", "--actor", "a", "--reason", "b", "--name", "A", "--idempotency-key", ""),
            "idempotency_key: ",
        ),
        (("amend", "hr:1", "--actor", "a", "--reason", "b"), "give at least one --set FIELD=VALUE"),
        (("amend", "hr:1", "--set", "beds=1", "--reason", "b"), "--actor"),
        (("amend", "hr:1", "--set", "zork=1", "--actor", "a", "--reason", "b"), "zork: unknown field"),
        (("withdraw", "hr:1", "--actor", "a", "--reason", " "), "reason: "),
        (("withdraw", "hr:1", "--actor", "a", "--reason", "b", "--idempotency-key", "a b"), "idempotency_key: "),
        (("correct", "hr:1", "--set", "beds=1"), "--revision"),
        (("correct", "hr:1", "--revision", "1"), "give at least one --set FIELD=VALUE"),
        (("discard", "hr:1"), "--revision"),
        (("imports", "cancel", "list-1", "--actor", " "), "--actor: give a name"),
        (("imports", "resume", "list-1", "--reason", "x" * 1_001), "may have 1,000 characters"),
        (("generate", "LIST"), "already exists"),
        (("generate", "none/list.ndjson.gz"), "leave out .gz"),
    ],
)
def test_a_known_error_is_one_line(run: Run, path: Path, arguments: tuple[str, ...], problem: str) -> None:
    status, out, err = run(*(str(path) if argument == "LIST" else argument for argument in arguments))
    assert (status, out) == (support.NOTHING, "")
    assert problem in err
    assert err.startswith("hospital-producer: ")
    assert err.count("\n") == 1


def test_a_configuration_error_is_one_line(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConfigurationError("REDIS_URL: wrong\nMONGODB_URL: wrong")

    monkeypatch.setattr(support, "connect", refuse)
    assert run("status", "x")[::2] == (support.NOTHING, "hospital-producer: REDIS_URL: wrong; MONGODB_URL: wrong\n")


@pytest.fixture
def job_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id that the next single registration gets."""
    monkeypatch.setattr("producers.commands.one_job.secrets.token_urlsafe", lambda _length: "key")
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
    assert (status, out) == (support.PARTLY, "")
    assert f"the queue has taken the job: hospital-producer status {job_id}" in err


def test_a_registration_that_may_be_queued_is_reported_with_its_id(run: Run, producer: Any, job_id: str) -> None:
    options = ("register", "--actor", "dr-ito", "--reason", "licence", "--name", "A")
    producer.refuse = OutageError("no answer for 30 s")
    status, _, err = run(*options)
    assert status == support.PARTLY
    assert f"the queue may have taken the job: hospital-producer status {job_id}" in err
    producer.refuse = WritesRefused("memory is full")
    assert run(*options)[::2] == (support.NOTHING, "hospital-producer: memory is full\n")


def test_one_hospital_is_registered(run: Run, producer: Any, job_id: str) -> None:
    options = ("--actor", "dr-ito", "--reason", "licence", "--name", "A", "--source", "cms", "--external-id", "7")
    status, out, _ = run("register", *options, "--set", "beds=12", "--set", "lat=x", "--json")
    assert (status, out) == (support.NOTHING, "")
    status, out, _ = run("register", *options, "--set", "beds=12", "--json")
    assert status == support.DONE
    assert json.loads(out) == {
        "job_id": job_id,
        "hospital_id": "cms:7",
        "status": "registered",
        "log_id": "log",
    }
    assert producer.payloads[0].record.beds == 12
    status, out, _ = run("register", *options, "--idempotency-key", "another")
    assert status == support.PARTLY
    assert "conflict" in out


def test_a_failed_or_late_registration_is_reported_with_its_id(run: Run, producer: Any, job_id: str) -> None:
    options = ("register", "--actor", "dr-ito", "--reason", "licence", "--name", "A")

    async def fail(payload: Any) -> Any:
        raise RemoteError("TypeError", "broken")

    producer.answer = fail
    assert run(*options)[::2] == (support.NOTHING, f"hospital-producer: {job_id} failed: TypeError: broken\n")

    async def be_late(payload: Any) -> Any:
        raise TimeoutError

    producer.answer = be_late
    status, _, err = run(*options)
    assert status == support.PARTLY
    assert f"hospital-producer status {job_id}" in err


def test_an_interrupted_registration_is_reported_with_its_id(run: Run, producer: Any, job_id: str) -> None:
    async def answer(payload: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return await asyncio.Event().wait()

    producer.answer = answer
    status, _, err = run("register", "--actor", "a", "--reason", "b", "--name", "A")
    assert (status, err.count("\n")) == (support.INTERRUPTED, 1)
    assert f"the queue may have taken the job: hospital-producer status {job_id}" in err


def test_a_file_is_registered(run: Run, path: Path) -> None:
    status, out, _ = run("register", "--actor", "a", "--reason", "b", "--file", path, "--source", "cms", "--json")
    summary = json.loads(out)
    assert (status, summary["registered"], summary["rejected"]) == (support.PARTLY, 2, 1)


def test_a_file_that_is_registered_again_changes_nothing_and_says_so(run: Run, path: Path, producer: Any) -> None:
    path.write_text("Facility Name,Facility ID,beds\nA,1,5\nB,3,\n")
    command = ("register", "--actor", "a", "--reason", "b", "--file", path, "--source", "cms", "--json")
    assert run(*command)[0] == support.DONE
    status, out, err = run(*command)
    summary = json.loads(out)
    assert (status, summary["registered"], summary["already_registered"], summary["conflicts"]) == (0, 0, 2, 0)
    assert "already registered under the same key: 2; nothing was changed or logged for these rows" in err
    # A second act is asked for by its name.
    status, out, err = run(*command, "--idempotency-key", "again")
    assert (status, json.loads(out)["conflicts"], "same key" in err) == (support.PARTLY, 2, False)


def test_a_repeated_call_says_that_it_enqueued_nothing(run: Run) -> None:
    command = ("register", "--actor", "a", "--reason", "b", "--name", "A", "--idempotency-key", "k")
    assert "same key" not in run(*command)[2]
    assert run(*command)[::2] == (
        support.DONE,
        "note: register_hospital:k was enqueued before under the same key; nothing was enqueued now\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        ("register", "--actor", "a", "--reason", "b", "--name", "A"),
        ("amend", "hr:1", "--set", "beds=1", "--actor", "a", "--reason", "b"),
        ("withdraw", "hr:1", "--actor", "a", "--reason", "b"),
        ("correct", "hr:1", "--set", "beds=1", "--revision", "1"),
        ("discard", "hr:1", "--revision", "1"),
    ],
)
def test_a_key_that_was_used_for_another_operation_ends_the_command(
    run: Run, producer: Any, command: tuple[str, ...]
) -> None:
    producer.refuse = key_used_twice("job:k")
    status, out, err = run(*command, "--idempotency-key", "k")
    assert (status, out) == (support.NOTHING, "")
    assert err == (
        "hospital-producer: job:k was enqueued with another payload: an idempotency key was used twice; enqueue "
        "this operation with its own key\n"
    )


@dataclass
class Status:
    job_id: str
    state: str
    error: str | None = None


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("queued", support.DONE),
        ("done", support.DONE),
        ("failed", support.PARTLY),
        ("dead", support.PARTLY),
        ("unknown", support.NOTHING),
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


def test_the_command_line_starts_without_queue_modules() -> None:
    code = "import sys, producers.cli; print([m for m in ('arq', 'redis', 'motor') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
