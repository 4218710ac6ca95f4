"""An import that was interrupted is distinguished from one that runs, and its end is reported."""

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from producers import interrupted
from tests.unit.producers.conftest import Run
from worker.contract import IngestHospitals
from worker.errors import OutageError


@pytest.fixture
def left_open(run: Run, tmp_path: Path, producer: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(interrupted, "_QUIET_S", 0.05)
    path = tmp_path / "list.csv"
    path.write_text("name,beds\n" + "".join(f"Clinic {number},1\n" for number in range(2_500)))
    sent = 0

    async def fail(payload: Any) -> Any:
        nonlocal sent
        if isinstance(payload, IngestHospitals):
            sent += 1
            if sent == 2:
                producer.refuse = OutageError("Redis has gone")
        return await producer.successful_answer(payload)

    producer.answer = fail
    run("ingest", path)
    producer.answer, producer.refuse = producer.successful_answer, None
    ((import_id, document),) = producer.imports.documents.items()
    assert document.state == "running"
    return str(import_id)


def test_an_interrupted_import_is_listed_as_such(run: Run, left_open: str) -> None:
    assert run("imports", "list")[1].splitlines()[1].split()[:2] == [left_open, "interrupted"]
    (listed,) = json.loads(run("imports", "list", "--json")[1])["imports"]
    assert (listed["state"], listed["interrupted"]) == ("running", True)


def test_it_is_shown_how_it_can_be_ended(run: Run, left_open: str) -> None:
    _, out, err = run("imports", "show", left_open)
    assert "interrupted" in out
    assert f"hospital-producer imports resume {left_open}" in err
    assert f"hospital-producer imports cancel {left_open}" in err
    assert "imported later" not in err


def test_a_later_import_of_the_same_file_is_named(run: Run, left_open: str, tmp_path: Path, producer: Any) -> None:
    assert run("ingest", tmp_path / "list.csv", "--on-existing", "merge")[0] == 0
    later = next(it for it in producer.imports.documents if it != left_open)
    at = producer.imports.documents[left_open].started_at
    newer = producer.imports.documents[later].model_copy(update={"started_at": at.replace(year=2030)})
    producer.imports.documents[later] = newer
    assert f"was imported later, with --on-existing merge: {later}" in run("imports", "show", left_open)[2]


def test_an_import_to_which_chunks_are_added_runs(run: Run, left_open: str, producer: Any) -> None:
    batch = producer.imports.batch(left_open, producer)
    before = batch.progress

    async def growing() -> Any:
        progress = await before()
        batch.totals += 1
        return replace(progress, total=batch.totals, complete=batch.totals)

    batch.totals, batch.progress = 2, growing
    assert run("imports", "list")[1].splitlines()[1].split()[1] == "running"


def test_the_numbers_of_a_cancelled_import_are_those_of_its_jobs(run: Run, left_open: str) -> None:
    out = run("imports", "cancel", left_open)[1]
    assert "jobs total" in out
    assert "jobs complete" in out


BY = ("--actor", "ann@vm", "--reason", "the wrong list")


@pytest.mark.parametrize("act", ["cancel", "resume"])
def test_what_is_done_to_an_import_is_recorded(run: Run, left_open: str, producer: Any, act: str) -> None:
    run("imports", act, left_open, *BY)
    (action,) = producer.actions
    assert (action.actor, action.act, action.target, action.ids, action.result, action.reason) == (
        "ann@vm",
        act,
        "import",
        (left_open,),
        "asked for",
        "the wrong list",
    )


def test_who_acts_is_by_default_the_user_of_this_machine(run: Run, left_open: str, producer: Any) -> None:
    run("imports", "cancel", left_open)
    assert producer.actions[0].actor.endswith(f"@{socket.gethostname()}")


@pytest.mark.parametrize("act", ["cancel", "resume"])
def test_what_cannot_be_recorded_is_not_done(run: Run, left_open: str, producer: Any, act: str) -> None:
    async def refuse(action: Any) -> None:
        raise OutageError("10,000 actions wait in Redis")

    producer.record_action = refuse
    status, _, err = run("imports", act, left_open)
    assert (status, "10,000 actions wait in Redis" in err) == (2, True)
    assert producer.imports.documents[left_open].state == "running"
    assert run("imports", "list")[1].splitlines()[1].split()[1] == "interrupted"


def test_an_import_that_was_interrupted_before_its_batch_was_made_is_cancelled(
    run: Run, left_open: str, producer: Any
) -> None:
    producer.imports.batch(left_open, producer)._progress = None
    status, out, _ = run("imports", "cancel", left_open, "--json")
    assert (status, json.loads(out)["state"]) == (0, "cancelled")
    assert [action.act for action in producer.actions] == ["cancel"]
