import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import HospitalFile, RejectWriter, rejects_path
from producers.ingesting import IngestLoad
from producers.registering import RegistrationLoad
from worker.contract import ChunkOutcome, Rejection
from worker.errors import OutageError, RemoteError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def load_of(producer: Any, path: Path, rows: int, *, bad: int = 0, progress: Any = None) -> IngestLoad:
    lines = [f"hospital {number},{number}" for number in range(rows)] + ["bad,many"] * bad
    path.write_text("name,beds\n" + "\n".join(lines) + "\n")
    return IngestLoad(
        producer,
        HospitalFile.open(path),
        RejectWriter(rejects_path(path)),
        wait=5,
        on_progress=progress or (lambda line: None),
    )


def rejects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rejects_path(path).read_text().splitlines()]


async def run(load: IngestLoad) -> None:
    with load._rejects:
        await load.run()


async def test_a_file_is_sent_in_chunks_and_every_row_is_counted(producer: Any, path: Path) -> None:
    lines: list[int] = []
    load = load_of(producer, path, 2_500, bad=2, progress=lines.append)
    await run(load)
    summary = load.summary()
    assert [len(payload.records) for payload in producer.payloads] == [1_000, 1_000, 500]
    assert producer.payloads[0].records[0] == {"hospital_name": "hospital 0", "beds": 0}
    assert (summary.rows, summary.created, summary.rejected, summary.lost) == (2_502, 2_500, 2, 0)
    assert (summary.done, summary.complete, summary.trouble) == (2_500, False, None)
    assert [reject["line"] for reject in rejects(path)] == [2_502, 2_503]
    assert lines == [1_001, 2_001, 2_501]
    assert summary.records_per_s > 0


async def test_long_rows_are_sent_in_smaller_chunks(producer: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.ndjson"
    notes = {f"note{number}": "x" * 1_000 for number in range(50)}
    rows = [json.dumps({"hospital_name": f"hospital {number}", "attributes": notes}) for number in range(100)]
    path.write_text("\n".join(rows) + "\n")
    load = IngestLoad(
        producer, HospitalFile.open(path), RejectWriter(rejects_path(path)), wait=5, on_progress=lambda line: None
    )
    await run(load)
    assert load.summary().created == 100
    assert len(producer.payloads) > 1
    # Far below the 16 MB that a job may have.
    assert all(len(payload.model_dump_json()) < 2_000_000 for payload in producer.payloads)


async def test_the_number_of_chunks_in_flight_is_limited(producer: Any, path: Path) -> None:
    full = asyncio.Event()
    go_on = asyncio.Event()

    async def held(payload: Any) -> Any:
        if producer.in_flight == 8:
            full.set()
        await go_on.wait()
        return await producer.successful_answer(payload)

    producer.answer = held
    load = load_of(producer, path, 12_000)
    task = asyncio.create_task(run(load))
    await full.wait()
    assert (load.summary().rows, load.summary().pending) == (8_000, 8_000)
    go_on.set()
    await task
    assert producer.most_in_flight == 8
    assert load.summary().created == 12_000


async def test_rows_that_the_worker_rejects_are_written_with_their_lines(producer: Any, path: Path) -> None:
    async def answer(payload: Any) -> ChunkOutcome:
        return ChunkOutcome(
            statuses=["created", "rejected", "merged", "rejected"],
            rejections=[Rejection(index=1, problems=["beds: no", "city: no"])],
        )

    producer.answer = answer
    load = load_of(producer, path, 4)
    await run(load)
    summary = load.summary()
    assert (summary.created, summary.merged, summary.rejected, summary.lost) == (1, 1, 2, 0)
    assert rejects(path) == [
        {"line": 3, "reasons": ["beds: no", "city: no"], "row": {"name": "hospital 1", "beds": "1"}},
        {"line": 5, "reasons": ["rejected by the worker"], "row": {"name": "hospital 3", "beds": "3"}},
    ]


async def test_rows_without_a_status_count_as_lost(producer: Any, path: Path) -> None:
    async def answer(payload: Any) -> ChunkOutcome:
        return ChunkOutcome(statuses=["created"])

    producer.answer = answer
    load = load_of(producer, path, 3)
    await run(load)
    assert (load.summary().created, load.summary().lost, load.summary().complete) == (1, 2, False)


async def test_rows_of_a_failed_chunk_are_reported_and_written_to_the_rejects(producer: Any, path: Path) -> None:
    async def answer(payload: Any) -> Any:
        if len(payload.records) == 500:
            raise RemoteError("TypeError", "broken")
        return await producer.successful_answer(payload)

    producer.answer = answer
    load = load_of(producer, path, 1_500)
    await run(load)
    summary = load.summary()
    assert (summary.created, summary.failed, summary.failed_jobs) == (1_000, 500, ("ingest_hospitals:2",))
    assert rejects(path)[0]["reasons"] == ["job ingest_hospitals:2 failed: TypeError: broken"]
    assert len(rejects(path)) == 500


async def test_a_late_outcome_ends_the_load_and_is_reported(producer: Any, path: Path) -> None:
    async def answer(payload: Any) -> Any:
        raise TimeoutError

    producer.answer = answer
    load = load_of(producer, path, 20_000)
    await run(load)
    summary = load.summary()
    assert summary.rows == summary.pending == 8_000
    assert len(summary.pending_jobs) == 8
    assert str(summary.trouble).startswith("no outcome within 5 s")


async def test_a_queue_that_refuses_jobs_ends_the_load(producer: Any, path: Path) -> None:
    producer.refuse = OutageError("Redis refuses writes")
    load = load_of(producer, path, 20_000)
    await run(load)
    summary = load.summary()
    assert summary.rows == summary.unconfirmed == 8_000
    assert (summary.done, summary.trouble) == (0, "Redis refuses writes")


async def test_rejects_that_cannot_be_written_end_the_load_early(producer: Any, path: Path) -> None:
    load = load_of(producer, path, 3, bad=1)
    rejects_path(path).mkdir()
    await load.run()
    assert "is not a regular file" in str(load.summary().trouble)


async def test_a_cancelled_load_has_correct_counts(producer: Any, path: Path) -> None:
    waiting = asyncio.Event()

    async def answer(payload: Any) -> Any:
        if payload.records[0]["beds"] == 0:
            return await producer.successful_answer(payload)
        waiting.set()
        return await asyncio.Event().wait()

    producer.answer = answer
    load = load_of(producer, path, 3_000, bad=1)
    task = asyncio.create_task(run(load))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    summary = load.summary()
    assert (summary.rows, summary.created, summary.pending, summary.rejected) == (3_001, 1_000, 2_000, 1)
    assert summary.pending_jobs == ("ingest_hospitals:2", "ingest_hospitals:3")
    assert (summary.unconfirmed, summary.lost) == (0, 0)


async def test_an_unexpected_error_is_raised(producer: Any, path: Path) -> None:
    producer.refuse = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await run(load_of(producer, path, 1))


async def test_each_row_is_registered_by_its_own_job(producer: Any, path: Path) -> None:
    path.write_text("name\nA\nB\na\n")
    load = RegistrationLoad(
        producer,
        HospitalFile.open(path),
        RejectWriter(rejects_path(path)),
        actor="dr-ito",
        reason="licence",
        wait=5,
        on_progress=lambda line: None,
    )
    await load.run()
    summary = load.summary()
    assert (summary.rows, summary.registered, summary.conflicts) == (3, 2, 1)
    assert (summary.done, summary.complete) == (3, False)
    assert {(payload.actor, payload.reason) for payload in producer.payloads} == {("dr-ito", "licence")}


async def test_a_blank_actor_ends_the_load_and_is_reported(producer: Any, path: Path) -> None:
    path.write_text("name\nA\n")
    load = RegistrationLoad(
        producer,
        HospitalFile.open(path),
        RejectWriter(rejects_path(path)),
        actor=" ",
        reason="licence",
        wait=5,
        on_progress=lambda line: None,
    )
    await load.run()
    assert "actor: " in str(load.summary().trouble)
    assert producer.payloads == []
