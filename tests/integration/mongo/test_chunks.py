import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from pymongo.errors import BulkWriteError

from tests.integration.mongo.conftest import WritesBlocked
from worker.contract.known import parse_known
from worker.errors import ConflictError, OutageError
from worker.mongo import chunk_writes, chunks
from worker.mongo.chunks import ingest_many
from worker.mongo.client import Collection, Document, MongoHandle
from worker.mongo.documents import new_hospital, now

Make = Callable[..., dict[str, Any]]
MODES = pytest.mark.parametrize("mode", ["keep", "merge"])


async def all_hospitals(mongo: MongoHandle) -> dict[str, dict[str, Any]]:
    return {hospital["_id"]: hospital async for hospital in mongo.hospitals.find({})}


@MODES
async def test_a_chunk_has_one_status_per_record_in_order(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str
) -> None:
    await run_job("ingest_hospital", {"record": record(external_id="old")})
    records = [
        record(external_id="a"),
        record(external_id="old", phone="New"),
        record(external_id="b", beds="many"),
        "not a record",
        record(external_id="a", phone="Again"),
        record(external_id="old"),
    ]
    outcome = await run_job("ingest_hospitals", {"records": records, "on_existing": mode})
    repeated = "merged" if mode == "merge" else "kept"
    assert outcome.statuses == ["created", repeated, "rejected", "rejected", repeated, "same"]
    assert [rejection.index for rejection in outcome.rejections] == [2, 3]
    assert outcome.rejections[0].problems[0].startswith("records[2].beds: ")
    hospitals = await all_hospitals(mongo)
    assert set(hospitals) == {"cms:a", "cms:old"}
    phones = (hospitals["cms:a"].get("phone"), hospitals["cms:old"].get("phone"))
    assert phones == (("Again", "New") if mode == "merge" else (None, None))


@MODES
async def test_a_redelivered_chunk_returns_the_same_statuses_and_changes_nothing(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str
) -> None:
    await run_job("ingest_hospital", {"record": record(external_id="old")})
    records = [record(external_id=f"h{n % 7}", beds=n) for n in range(60)] + [record(external_id="old", beds=1)]
    payload = {"records": records, "on_existing": mode}
    first = await run_job("ingest_hospitals", payload)
    after_first = await all_hospitals(mongo)
    again = await run_job("ingest_hospitals", payload)
    assert again.statuses == first.statuses
    assert await all_hospitals(mongo) == after_first
    if mode == "merge":
        assert Counter(first.statuses) == {"created": 7, "merged": 54}
        assert after_first["cms:h3"]["beds"] == 59


@pytest.mark.parametrize("stored", [None, 0, 1])
async def test_a_no_op_record_stays_a_no_op_when_the_chunk_is_redelivered(
    mongo: MongoHandle, run_job: Any, record: Make, stored: int | None
) -> None:
    """The second record leaves no entry in `applied_jobs`; applied again, it would undo the third."""
    if stored is not None:
        await run_job("ingest_hospital", {"record": record(external_id="a", beds=stored)})
    records = [record(external_id="a", beds=beds) for beds in (1, 1, 2)]
    payload = {"records": records, "on_existing": "merge"}
    first = await run_job("ingest_hospitals", payload)
    after_first = await all_hospitals(mongo)
    assert after_first["cms:a"]["beds"] == 2
    again = await run_job("ingest_hospitals", payload)
    assert await all_hospitals(mongo) == after_first
    assert again.statuses == first.statuses


@MODES
async def test_concurrent_chunks_of_the_same_records_create_each_hospital_once(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str
) -> None:
    payload = {"records": [record(external_id=f"h{n}") for n in range(300)], "on_existing": mode}
    outcomes = await asyncio.gather(*(run_job("ingest_hospitals", payload, f"job-{n}") for n in range(6)))
    statuses = Counter(status for outcome in outcomes for status in outcome.statuses)
    assert statuses == {"created": 300, "same": 1500}
    assert await mongo.hospitals.count_documents({}) == 300


async def test_concurrent_deliveries_of_one_chunk_both_report_created(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    payload = {"records": [record(external_id=f"h{n}") for n in range(300)]}
    outcomes = await asyncio.gather(*(run_job("ingest_hospitals", payload, "same") for _ in range(2)))
    assert [set(outcome.statuses) for outcome in outcomes] == [{"created"}, {"created"}]


async def test_a_record_that_mongodb_refuses_does_not_affect_the_others(mongo: MongoHandle, record: Make) -> None:
    records = [parse_known(record(external_id=f"h{n}")) for n in range(3)]
    # The value bypasses the contract on purpose, so that the collection's validator refuses it.
    records[1]["beds"] = -1
    outcome = await ingest_many(mongo, records, "keep", "job")
    assert outcome.statuses == ["created", "rejected", "created"]
    assert outcome.rejections[0].problems == ["refused by MongoDB: DocumentValidationFailure (121)"]
    merged = [parse_known(record(external_id=f"h{n}", city="B")) for n in (0, 2)]
    merged[0]["beds"] = -1
    outcome = await ingest_many(mongo, merged, "merge", "other")
    assert outcome.statuses == ["rejected", "merged"]


@MODES
async def test_no_row_is_rejected_because_mongodb_takes_no_writes(
    run_job: Any, record: Make, writes_blocked: WritesBlocked, mode: str
) -> None:
    await run_job("ingest_hospital", {"record": record(external_id="h0")})
    payload = {"records": [record(external_id=f"h{n}", beds=9) for n in range(5)], "on_existing": mode}
    async with writes_blocked():
        with pytest.raises(OutageError, match=r"UserWritesBlocked \(371\)"):
            await run_job("ingest_hospitals", payload)
    outcome = await run_job("ingest_hospitals", payload)
    assert outcome.statuses == ["kept" if mode == "keep" else "merged", *["created"] * 4]


class RefusingOne:
    """The collection, except that it refuses one of the documents that are inserted, with `code`."""

    def __init__(self, collection: Collection, code: int) -> None:
        self._collection = collection
        self._code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def insert_many(self, documents: list[Document], **options: Any) -> None:
        await self._collection.insert_many(documents[1:], **options)
        raise BulkWriteError({"writeErrors": [{"index": 0, "code": self._code}]})


async def test_a_row_whose_shard_is_out_of_reach_is_not_rejected(mongo: MongoHandle, record: Make) -> None:
    records = [parse_known(record(external_id=f"h{n}")) for n in range(3)]
    refusing = replace(mongo, hospitals=cast(Collection, RefusingOne(mongo.hospitals, 133)))
    with pytest.raises(OutageError, match=r"FailedToSatisfyReadPreference \(133\)"):
        await ingest_many(refusing, records, "keep", "job")
    outcome = await ingest_many(mongo, records, "keep", "job")
    assert outcome.statuses == ["created"] * 3


async def test_a_row_that_is_refused_for_a_reason_that_is_not_known_is_rejected_alone(
    mongo: MongoHandle, record: Make
) -> None:
    records = [parse_known(record(external_id=f"h{n}")) for n in range(3)]
    refusing = replace(mongo, hospitals=cast(Collection, RefusingOne(mongo.hospitals, 16755)))
    outcome = await ingest_many(refusing, records, "keep", "job")
    assert outcome.statuses == ["rejected", "created", "created"]


async def test_registered_and_newer_hospitals_are_not_merged(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("register_hospital", {"record": record(external_id="r"), "actor": "a", "reason": "r"})
    newer = record(external_id="n", observed_at="2025-02-01T00:00:00Z")
    await run_job("ingest_hospital", {"record": newer})
    before = await all_hospitals(mongo)
    records = [
        record(external_id="r", city="X"),
        record(external_id="n", city="X", observed_at="2025-01-01T00:00:00Z"),
    ]
    outcome = await run_job("ingest_hospitals", {"records": records, "on_existing": "merge"})
    assert outcome.statuses == ["registered", "newer_stored"]
    assert await all_hospitals(mongo) == before


async def test_a_boolean_differs_from_the_equal_stored_number(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record(attributes={"a": 1})})
    payload = {"records": [record(attributes={"a": True})], "on_existing": "merge"}
    assert (await run_job("ingest_hospitals", payload)).statuses == ["merged"]
    assert (await all_hospitals(mongo))["cms:1"]["attributes"] == {"a": True}


async def test_a_failed_write_concern_fails_the_whole_chunk(
    mongo: MongoHandle, run_job: Any, fail_command: Any, record: Make
) -> None:
    payload = {"records": [record(external_id=f"h{n}") for n in range(3)]}
    unconfirmed = {"code": 64, "errmsg": "waiting for replication timed out"}
    async with fail_command(["insert"], mode={"times": 1}, writeConcernError=unconfirmed):
        with pytest.raises(OutageError):
            await run_job("ingest_hospitals", payload)
    assert (await run_job("ingest_hospitals", payload)).statuses == ["created"] * 3


async def test_an_outcome_carries_a_token(run_job: Any, record: Make) -> None:
    assert (await run_job("ingest_hospitals", {"records": [record()]})).token


@MODES
@pytest.mark.parametrize("rounds", [1, 9])
async def test_a_hospital_removed_between_two_look_ups_is_inserted(
    mongo: MongoHandle, record: Make, monkeypatch: pytest.MonkeyPatch, mode: Any, rounds: int
) -> None:
    """Another job creates the hospital after the first look-up, and discards it before the second."""
    find = chunk_writes.find_hospitals
    left = rounds

    async def raced(handle: MongoHandle, hospital_ids: Any) -> Any:
        nonlocal left
        await handle.hospitals.delete_many({"created_by_job": "other"})
        found = await find(handle, hospital_ids)
        if left:
            left -= 1
            await handle.hospitals.insert_one(
                new_hospital("cms:1", {"hospital_name": "X"}, status="partial", job_id="other", at=now())
            )
        return found

    monkeypatch.setattr(chunk_writes, "find_hospitals", raced)
    monkeypatch.setattr(chunks, "find_hospitals", raced)
    records = [parse_known(record())]
    if rounds > 5:
        with pytest.raises(ConflictError, match="1 hospitals of a chunk"):
            await ingest_many(mongo, records, mode, "chunk")
        return
    outcome = await ingest_many(mongo, records, mode, "chunk")
    assert outcome.statuses == ["created"]
    assert (await all_hospitals(mongo))["cms:1"]["created_by_job"] == "chunk"
