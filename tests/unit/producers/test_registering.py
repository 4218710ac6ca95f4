import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from producers.files import HospitalFile, RejectWriter, rejects_path
from producers.registering import RegistrationRun
from worker.errors import OutageError, RemoteError
from worker.queue.digests import call_digest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def run_of(
    producer: Any, path: Path, rows: int, *, bad: int = 0, actor: str = "dr-ito", progress: Any = None, **more: Any
) -> RegistrationRun:
    lines = [f"hospital {number},{number}" for number in range(rows)] + ["-,1"] * bad
    path.write_text("name,beds\n" + "\n".join(lines) + "\n")
    return RegistrationRun(
        producer,
        HospitalFile.open(path),
        RejectWriter(rejects_path(path)),
        actor=actor,
        wait=5,
        on_progress=progress or (lambda line: None),
        **({"reason": "licence"} | more),
    )


def rejects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rejects_path(path).read_text().splitlines()]


async def run(registering: RegistrationRun) -> None:
    with registering._rejects:
        await registering.run()


async def test_each_row_is_registered_by_its_own_job_and_counted(producer: Any, path: Path) -> None:
    lines: list[int] = []
    registering = run_of(producer, path, 120, bad=2, progress=lines.append)
    await run(registering)
    summary = registering.summary()
    assert [payload.record.beds for payload in producer.payloads] == list(range(120))
    assert {(payload.actor, payload.reason) for payload in producer.payloads} == {("dr-ito", "licence")}
    assert (summary.rows, summary.registered, summary.rejected) == (122, 120, 2)
    assert (summary.done, summary.complete, summary.trouble) == (120, False, None)
    assert [reject["line"] for reject in rejects(path)] == [122, 123]
    assert max(lines) == 121
    assert summary.records_per_s > 0


async def test_the_same_rows_are_the_same_acts_in_every_run(producer: Any, path: Path) -> None:
    await run(run_of(producer, path, 3))
    registering = run_of(producer, path, 4)
    await run(registering)
    summary = registering.summary()
    assert (summary.rows, summary.registered, summary.already_registered) == (4, 1, 3)
    assert (summary.conflicts, summary.complete, summary.done) == (0, True, 4)
    assert not rejects_path(path).exists()
    assert producer.job_ids[:3] == producer.job_ids[3:6]
    assert len(set(producer.job_ids)) == 4


@pytest.mark.parametrize("change", [{"actor": "dr-no"}, {"reason": "another"}, {"act": "june-2"}])
async def test_another_actor_reason_or_name_makes_other_acts(
    producer: Any, path: Path, change: dict[str, Any]
) -> None:
    await run(run_of(producer, path, 3))
    registering = run_of(producer, path, 3, **change)
    await run(registering)
    assert (registering.summary().already_registered, registering.summary().conflicts) == (0, 3)
    assert len(set(producer.job_ids)) == 6


async def test_the_key_of_a_row_is_the_act_and_the_digest_of_what_it_does(producer: Any, path: Path) -> None:
    await run(run_of(producer, path, 1))
    await run(run_of(producer, path, 1, act="june-2"))
    digest = call_digest("register_hospital", producer.payloads[0])
    assert producer.job_ids == [f"register_hospital:file:{digest}", f"register_hospital:june-2:{digest}"]


async def test_an_equal_row_of_the_same_file_is_registered_once(producer: Any, path: Path) -> None:
    registering = run_of(producer, path, 1)
    path.write_text("name,beds\nhospital 0,0\nhospital 0,0\n")
    await run(registering)
    summary = registering.summary()
    assert (summary.registered, summary.already_registered, summary.complete) == (1, 1, True)


@pytest.mark.parametrize(("ago", "already"), [(timedelta(hours=2), 3), (timedelta(seconds=2), 0), (None, 0)])
async def test_a_registration_that_was_logged_long_ago_is_of_an_earlier_run(
    producer: Any, path: Path, ago: timedelta | None, already: int
) -> None:
    # Redis has forgotten the jobs, so they are new, run again and find their log entries.
    producer.logged_at = datetime.now(UTC) - ago if ago is not None else None
    registering = run_of(producer, path, 3)
    await run(registering)
    assert (registering.summary().already_registered, registering.summary().registered) == (already, 3 - already)
    assert registering.summary().complete


async def test_a_hospital_that_another_act_registered_is_a_conflict(producer: Any, path: Path) -> None:
    await run(run_of(producer, path, 3))
    registering = run_of(producer, path, 4, reason="another")
    await run(registering)
    summary = registering.summary()
    assert (summary.rows, summary.registered, summary.conflicts, summary.complete) == (4, 1, 3, False)
    # They may be other hospitals of these identities, so they are kept as rejected rows are.
    assert [row["line"] for row in rejects(path)] == [2, 3, 4]
    assert {row["reasons"][0].partition(":")[0] for row in rejects(path)} == {"conflict"}


async def test_the_number_of_jobs_in_flight_is_limited(producer: Any, path: Path) -> None:
    full = asyncio.Event()
    go_on = asyncio.Event()

    async def held(payload: Any) -> Any:
        if producer.in_flight == 50:
            full.set()
        await go_on.wait()
        return await producer.successful_answer(payload)

    producer.answer = held
    registering = run_of(producer, path, 120)
    task = asyncio.create_task(run(registering))
    await full.wait()
    assert (registering.summary().rows, registering.summary().pending) == (50, 50)
    go_on.set()
    await task
    assert producer.most_in_flight == 50
    assert registering.summary().registered == 120


async def test_a_failed_job_is_reported_and_its_row_written_to_the_rejects(producer: Any, path: Path) -> None:
    async def answer(payload: Any) -> Any:
        if payload.record.beds == 1:
            raise RemoteError("TypeError", "broken")
        return await producer.successful_answer(payload)

    producer.answer = answer
    registering = run_of(producer, path, 3)
    await run(registering)
    summary = registering.summary()
    assert (summary.registered, summary.failed, summary.failed_jobs) == (2, 1, (producer.job_ids[1],))
    assert [it["reasons"] for it in rejects(path)] == [[f"job {producer.job_ids[1]} failed: TypeError: broken"]]


async def test_a_late_outcome_ends_the_run_and_is_reported(producer: Any, path: Path) -> None:
    async def answer(payload: Any) -> Any:
        raise TimeoutError

    producer.answer = answer
    registering = run_of(producer, path, 500)
    await run(registering)
    summary = registering.summary()
    assert summary.rows == summary.pending == len(summary.pending_jobs) == 50
    assert str(summary.trouble).startswith("no outcome within 5 s")


async def test_a_queue_that_refuses_jobs_ends_the_run(producer: Any, path: Path) -> None:
    producer.refuse = OutageError("Redis refuses writes")
    registering = run_of(producer, path, 500)
    await run(registering)
    summary = registering.summary()
    assert summary.rows == summary.unconfirmed == 50
    assert (summary.done, summary.trouble) == (0, "Redis refuses writes")


async def test_rejects_that_cannot_be_written_end_the_run_early(producer: Any, path: Path) -> None:
    registering = run_of(producer, path, 3, bad=1)
    rejects_path(path).mkdir()
    await registering.run()
    assert "is not a regular file" in str(registering.summary().trouble)


async def test_a_cancelled_run_has_correct_counts(producer: Any, path: Path) -> None:
    waiting = asyncio.Event()

    async def answer(payload: Any) -> Any:
        if payload.record.beds == 0:
            return await producer.successful_answer(payload)
        waiting.set()
        return await asyncio.Event().wait()

    producer.answer = answer
    registering = run_of(producer, path, 3, bad=1)
    task = asyncio.create_task(run(registering))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    summary = registering.summary()
    assert (summary.rows, summary.registered, summary.pending, summary.rejected) == (4, 1, 2, 1)
    assert summary.unconfirmed == 0


async def test_an_unexpected_error_is_raised(producer: Any, path: Path) -> None:
    producer.refuse = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await run(run_of(producer, path, 1))


async def test_a_blank_actor_ends_the_run_and_is_reported(producer: Any, path: Path) -> None:
    registering = run_of(producer, path, 1, actor=" ")
    await run(registering)
    assert "actor: " in str(registering.summary().trouble)
    assert producer.payloads == []
