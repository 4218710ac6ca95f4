"""The jobs that begin and end an import and read what became of its rows."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import Make, chunk, store
from worker.errors import InvalidPayload
from worker.jobs.close_import import close_import
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.mongo.claims import IMPORT_CLAIMS
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.queue.batches import BatchProgress
from worker.settings import load_settings

FINGERPRINT = "ab" * 32


def opening(import_id: str, **changes: Any) -> dict[str, Any]:
    file = {"name": "list.csv", "bytes": 120, "sha256": "cd" * 32, "rows": 3}
    return {
        "import_id": import_id,
        "fingerprint": FINGERPRINT,
        "file": file,
        "on_existing": "merge",
        "source": "cms",
        "profile": "version = 1\n",
        "started_by": "ito@desk",
        **changes,
    }


class Batch:
    """What a completion job finds in its context."""

    def __init__(self, progress: BatchProgress) -> None:
        self._progress = progress

    async def progress(self) -> BatchProgress:
        return self._progress


async def close(mongo: MongoHandle, import_id: str, progress: BatchProgress | None) -> Any:
    context = WorkerContext(load_settings(), mongo, Registrations(mongo))
    ctx: dict[str, Any] = {CONTEXT_KEY: context, "job_id": "close"}
    if progress is not None:
        ctx["batch"] = Batch(progress)
    return await close_import(ctx, {"import_id": import_id})


def ended(**fields: Any) -> BatchProgress:
    return BatchProgress(batch_id="i", total=1, created_at=datetime.now(UTC), **{"state": "finished", **fields})


async def test_an_import_is_found_until_it_ends(mongo: MongoHandle, run_job: RunJob) -> None:
    first = await run_job("open_import", opening("first"), "1")
    again = await run_job("open_import", opening("first"), "1")
    same = await run_job("open_import", opening("second"), "2")
    other = await run_job("open_import", opening("third", fingerprint="ef" * 32), "3")

    assert (first.status, first.found.import_id, first.found.state) == ("opened", "first", "running")
    assert (again.status, again.found) == ("opened", first.found)
    assert (same.status, same.found) == ("resumed", first.found)
    assert (other.status, other.found.import_id) == ("opened", "third")

    closed = await close(mongo, "first", ended(complete=1, counts={"created": 2, "rejected": 1}))
    assert (closed.status, closed.found.state, closed.found.counts) == (
        "closed",
        "finished",
        {"created": 2, "rejected": 1},
    )
    assert (await run_job("open_import", opening("second"), "4")).status == "opened"
    found = (await run_job("find_imports", {})).found
    assert (found[0].import_id, found[0].state) == ("second", "running")
    assert {each.import_id for each in found} == {"first", "second", "third"}
    assert {each.profile for each in found} == {""}
    (one,) = (await run_job("find_imports", {"import_id": "first"})).found
    assert (one.profile, one.file.rows, one.started_by) == ("version = 1\n", 3, "ito@desk")


async def test_imports_of_one_file_that_begin_at_once_are_one(mongo: MongoHandle, run_job: RunJob) -> None:
    outcomes = await asyncio.gather(
        *(run_job("open_import", opening(f"import-{number}"), f"{number}") for number in range(10))
    )

    assert len({outcome.found.import_id for outcome in outcomes}) == 1
    assert [outcome.status for outcome in outcomes].count("opened") == 1
    assert await mongo.database["imports"].count_documents({}) == 1


async def test_claims_stay_while_a_dead_letter_may_be_retried(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("open_import", opening("i"))
    await store(run_job, record())
    await run_job("ingest_hospitals", chunk(record(), lines=[2]), "1")
    claims = mongo.database[IMPORT_CLAIMS]

    assert (await close(mongo, "i", ended(dead=1, state="cancelled"))).found.state == "cancelled"
    assert await claims.count_documents({}) == 1
    # The end that was noted first stays.
    assert (await close(mongo, "i", ended(complete=1))).found.state == "cancelled"
    assert await claims.count_documents({}) == 0


async def test_an_import_can_be_closed_by_its_batch_only(mongo: MongoHandle) -> None:
    with pytest.raises(InvalidPayload):
        await close(mongo, "i", None)
    assert (await close(mongo, "unknown", ended())).status == "not_found"


async def test_the_report_has_each_row_that_is_not_as_asked_for(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record(beds=1))
    cell = {"field": "beds", "column": "Beds", "value": "many", "reason": "is not a number"}
    first = chunk(record(beds=2), record(external_id="2"), record(external_id="3"), lines=[2, 3, 5])
    first |= {
        "chunk": 0,
        "unread": [{"line": 4, "reasons": ["hospital_name: is missing"]}, {"line": 5, "left_out": [cell]}],
    }
    second = chunk(record(external_id="4"), lines=[6]) | {"chunk": 1}
    third = chunk(record(external_id="2", city="Elsewhere"), lines=[7]) | {"chunk": 2}
    only_unread = chunk(lines=[]) | {"chunk": 3, "unread": [{"line": 8, "reasons": ["hospital_name: is missing"]}]}
    for number, payload in enumerate((first, second, third, only_unread)):
        await run_job("ingest_hospitals", payload, f"{number}")
    await run_job("ingest_hospitals", first, "0")

    report = await run_job("read_import_report", {"import_id": "i"})

    entries = {entry.line: entry for entry in report.entries}
    assert list(entries) == [2, 4, 5, 7, 8]
    assert {line: entry.status for line, entry in entries.items()} == {
        2: "kept",
        4: "rejected",
        5: "created",
        7: "collision",
        8: "rejected",
    }
    assert [(each.field, each.stored, each.given) for each in entries[2].differences] == [("beds", 1, 2)]
    assert (entries[4].reasons, entries[5].left_out[0].reason) == (
        ["hospital_name: is missing"],
        "is not a number",
    )
    assert (entries[7].other_line, entries[7].hospital_id) == (3, "cms:2")
    assert report.next_chunk is None
    later = await run_job("read_import_report", {"import_id": "i", "first_chunk": 1})
    assert [entry.line for entry in later.entries] == [7, 8]


async def test_a_long_report_is_read_in_pages(mongo: MongoHandle, run_job: RunJob) -> None:
    for number in range(5):
        unread = [{"line": 1_000 * number + row, "reasons": ["x"]} for row in range(1, 1_001)]
        await run_job("ingest_hospitals", chunk(lines=[]) | {"chunk": number, "unread": unread}, f"{number}")

    lines: list[int] = []
    first_chunk: int | None = 0
    pages = 0
    while first_chunk is not None:
        page = await run_job("read_import_report", {"import_id": "i", "first_chunk": first_chunk})
        lines += [entry.line for entry in page.entries]
        first_chunk, pages = page.next_chunk, pages + 1

    assert (lines, pages) == (list(range(1, 5_001)), 3)


async def test_a_preview_says_what_an_ingest_would_do_and_writes_nothing(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record(beds=1, city="Here"))
    await run_job("register_hospital", {"record": record(external_id="2"), "actor": "a", "reason": "r"}, "2")
    before = await mongo.hospitals.find({}).to_list(None)
    records = [
        record(beds=1),
        record(beds=2),
        record(hospital_name="Other", city="There"),
        record(external_id="2", beds=9),
        record(external_id="3"),
        {"beds": -1},
    ]

    keep = await run_job("preview_hospitals", {"records": records})
    merge = await run_job("preview_hospitals", {"records": records, "on_existing": "merge"})

    assert keep.statuses == ["same", "kept", "conflict", "registered", "created", "rejected"]
    assert merge.statuses == ["same", "merged", "conflict", "registered", "created", "rejected"]
    assert await mongo.hospitals.find({}).to_list(None) == before
