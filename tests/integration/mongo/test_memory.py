"""What a job did is remembered, whatever happens to its hospital afterwards."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.mongo.conftest import FailCommand, RunJob
from worker.errors import KeyUsedTwice, OutageError, PermanentError, TransientError
from worker.mongo.client import MongoHandle
from worker.mongo.memory import LISTED_CHANGES

Make = Callable[..., dict[str, Any]]
ACT = {"actor": "a", "reason": "b"}
MANY = 2 * LISTED_CHANGES


async def hospital_of(mongo: MongoHandle, hospital_id: str = "cms:1") -> dict[str, Any] | None:
    return await mongo.hospitals.find_one({"_id": hospital_id})


async def change_often(run_job: RunJob, record: Make, times: int = MANY) -> None:
    for number in range(times):
        payload = {"record": record(beds=number), "on_existing": "merge"}
        await run_job("ingest_hospital", payload, f"other-{number}")


async def remove(run_job: RunJob, mongo: MongoHandle, how: str) -> None:
    hospital = await hospital_of(mongo)
    assert hospital is not None
    if how == "discarded":
        payload = {"hospital_id": "cms:1", "revision": hospital["revision"]}
        assert (await run_job("discard_hospital", payload, "removes")).status == "discarded"
    else:
        known = {"hospital_name": "Mercy", "source": "cms", "external_id": "1"}
        await run_job("register_hospital", {"record": known, **ACT}, "registers")
        withdrawn = await run_job("withdraw_hospital", {"hospital_id": "cms:1", **ACT}, "removes")
        assert withdrawn.status == "withdrawn"


def same(outcome: Any, other: Any) -> bool:
    return bool(outcome.model_copy(update={"token": None}) == other.model_copy(update={"token": None}))


async def test_a_merge_is_not_repeated_after_many_other_changes(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    payload = {"record": record(beds=10), "on_existing": "merge"}
    first = await run_job("ingest_hospital", payload, "key")
    await change_often(run_job, record)
    before = await hospital_of(mongo)
    again = await run_job("ingest_hospital", payload, "key")

    assert first.status == "merged"
    assert same(again, first)
    assert await hospital_of(mongo) == before


async def test_a_correction_returns_its_first_outcome_after_many_other_changes(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    payload = {"hospital_id": "cms:1", "revision": 1, "changes": {"city": "A"}}
    first = await run_job("correct_hospital", payload, "key")
    await change_often(run_job, record)

    assert first.status == "corrected"
    assert same(await run_job("correct_hospital", payload, "key"), first)
    with pytest.raises(KeyUsedTwice):
        await run_job("correct_hospital", {**payload, "revision": 5}, "key")


async def test_corrections_alone_shorten_the_list_too(mongo: MongoHandle, run_job: RunJob, record: Make) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    for number in range(1, MANY):
        payload = {"hospital_id": "cms:1", "revision": number, "changes": {"beds": number}}
        assert (await run_job("correct_hospital", payload, f"corrects-{number}")).status == "corrected"

    assert len((await hospital_of(mongo) or {})["applied_jobs"]) <= LISTED_CHANGES
    payload = {"hospital_id": "cms:1", "revision": 1, "changes": {"beds": 1}}
    assert (await run_job("correct_hospital", payload, "corrects-1")).revision == 2


@pytest.mark.parametrize("how", ["discarded", "withdrawn"])
@pytest.mark.parametrize("mode", ["keep", "merge"])
@pytest.mark.parametrize("created_again", [False, True])
async def test_an_ingest_neither_brings_back_nor_changes_what_was_removed_since(
    mongo: MongoHandle, run_job: RunJob, record: Make, how: str, mode: str, created_again: bool
) -> None:
    creation = {"record": record(beds=1), "on_existing": mode}
    merge = {"record": record(beds=2), "on_existing": "merge"}
    created = await run_job("ingest_hospital", creation, "creates")
    merged = await run_job("ingest_hospital", merge, "merges")
    await remove(run_job, mongo, how)
    if created_again:
        await run_job("ingest_hospital", {"record": record(beds=3)}, "creates again")
    before = await hospital_of(mongo)

    assert same(await run_job("ingest_hospital", creation, "creates"), created)
    assert same(await run_job("ingest_hospital", merge, "merges"), merged)
    assert await hospital_of(mongo) == before


async def test_a_chunk_neither_brings_back_nor_changes_what_was_removed_since(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record(external_id="2")}, "creates")
    chunk = {
        "records": [record(beds=1), record(external_id="2", beds=2), record(beds=3), record(external_id="3")],
        "on_existing": "merge",
    }
    first = await run_job("ingest_hospitals", chunk, "key")
    for hospital_id, revision in (("cms:1", 2), ("cms:2", 2)):
        payload = {"hospital_id": hospital_id, "revision": revision}
        assert (await run_job("discard_hospital", payload, f"removes {hospital_id}")).status == "discarded"
    await run_job("ingest_hospital", {"record": record(external_id="2", beds=9)}, "creates again")
    before = await mongo.hospitals.find({}).sort("_id").to_list(None)
    again = await run_job("ingest_hospitals", chunk, "key")

    assert first.statuses == ["created", "merged", "merged", "created"]
    assert again.statuses == first.statuses
    assert await mongo.hospitals.find({}).sort("_id").to_list(None) == before


async def test_a_chunk_is_recognised_after_many_other_changes(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    chunk = {"records": [record(beds=1), record(beds=2), record(beds=2)], "on_existing": "merge"}
    first = await run_job("ingest_hospitals", chunk, "key")
    await change_often(run_job, record)
    before = await hospital_of(mongo)

    assert first.statuses == ["merged", "merged", "same"]
    assert (await run_job("ingest_hospitals", chunk, "key")).statuses == first.statuses
    assert await hospital_of(mongo) == before


async def test_a_chunk_with_many_records_of_one_hospital_applies_each_once(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    chunk = {"records": [record(beds=number) for number in range(MANY)], "on_existing": "merge"}
    first = await run_job("ingest_hospitals", chunk, "key")
    before = await hospital_of(mongo)

    assert before is not None
    assert (before["beds"], before["revision"]) == (MANY - 1, MANY)
    assert len(before["applied_jobs"]) <= LISTED_CHANGES
    assert (await run_job("ingest_hospitals", chunk, "key")).statuses == first.statuses
    assert await hospital_of(mongo) == before


@pytest.mark.parametrize("there", [True, False])
async def test_a_discard_does_not_remove_what_was_created_since(
    mongo: MongoHandle, run_job: RunJob, record: Make, there: bool
) -> None:
    if there:
        await run_job("ingest_hospital", {"record": record()}, "creates")
    payload = {"hospital_id": "cms:1", "revision": 1}
    first = await run_job("discard_hospital", payload, "key")
    await run_job("ingest_hospital", {"record": record()}, "creates again")

    assert first.status == "discarded"
    assert same(await run_job("discard_hospital", payload, "key"), first)
    assert await hospital_of(mongo) is not None


async def test_a_correction_does_not_change_what_was_created_since(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    payload = {"hospital_id": "cms:1", "revision": 1, "changes": {"city": "A"}}
    first = await run_job("correct_hospital", payload, "key")
    await remove(run_job, mongo, "discarded")
    await run_job("ingest_hospital", {"record": record()}, "creates again")

    assert same(await run_job("correct_hospital", payload, "key"), first)
    assert "city" not in (await hospital_of(mongo) or {})


@pytest.mark.parametrize("command", ["update", "delete"])
async def test_a_discard_that_failed_half_way_removes_the_hospital_when_it_runs_again(
    mongo: MongoHandle, run_job: RunJob, record: Make, fail_command: FailCommand, command: str
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    payload = {"hospital_id": "cms:1", "revision": 1}
    async with fail_command([command], mode={"times": 1}, errorCode=50):
        with pytest.raises(TransientError):
            await run_job("discard_hospital", payload, "key")
    assert await hospital_of(mongo) is not None

    assert (await run_job("discard_hospital", payload, "key")).status == "discarded"
    assert await hospital_of(mongo) is None
    assert (await run_job("ingest_hospital", {"record": record()}, "creates")).status == "created"
    assert await hospital_of(mongo) is None


@pytest.mark.parametrize("skip", [0, 1])
async def test_a_list_that_could_not_be_shortened_is_shortened_later(
    mongo: MongoHandle, run_job: RunJob, record: Make, fail_command: FailCommand, skip: int
) -> None:
    """The first update writes the memory, the second takes what it holds out of the hospital's list."""
    await run_job("ingest_hospital", {"record": record()}, "creates")
    await change_often(run_job, record, LISTED_CHANGES)
    payload = {"record": record(beds=1_000), "on_existing": "merge"}
    mode = {"skip": skip} if skip else {"times": 1}
    async with fail_command(["update"], mode=mode, errorCode=50):
        with pytest.raises(TransientError):
            await run_job("ingest_hospital", payload, "key")
    again = await run_job("ingest_hospital", payload, "key")

    assert (again.status, again.revision) == ("merged", LISTED_CHANGES + 2)
    hospital = await hospital_of(mongo)
    assert hospital is not None
    assert hospital["revision"] == LISTED_CHANGES + 2
    assert len(hospital["applied_jobs"]) <= LISTED_CHANGES
    for number in range(LISTED_CHANGES):
        merge = {"record": record(beds=number), "on_existing": "merge"}
        assert (await run_job("ingest_hospital", merge, f"other-{number}")).revision == number + 2


async def test_a_memory_that_expired_makes_the_key_a_new_job(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    payload = {"record": record()}
    await run_job("ingest_hospital", payload, "key")
    await remove(run_job, mongo, "discarded")
    stored = await mongo.database["applied_jobs"].find({}).to_list(None)
    assert {memory["_id"]["job"] for memory in stored} == {"key", "removes"}
    for memory in stored:
        kept = memory["expires_at"] - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < kept <= timedelta(days=30)
    # As MongoDB does when the time has come.
    await mongo.database["applied_jobs"].delete_many({})

    assert (await run_job("ingest_hospital", payload, "key")).status == "created"
    assert await hospital_of(mongo) is not None


async def test_jobs_that_ask_at_the_same_time_share_one_read(
    mongo: MongoHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    memory = mongo.memory
    find = memory._find

    async def counted(job_ids: Any) -> Any:
        reads.append(len(set(job_ids)))
        return await find(job_ids)

    monkeypatch.setattr(memory, "_find", counted)
    await asyncio.gather(*(memory.recall(f"job-{number}") for number in range(100)))

    assert sum(reads) == 100
    assert len(reads) <= 2


async def test_an_id_that_cannot_be_read_fails_its_own_job_only(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "creates")
    await remove(run_job, mongo, "discarded")
    asked = ["\udc80", "creates", "x" * 20_000_000, "absent"]
    bad, known, too_long, absent = await asyncio.gather(
        *(mongo.memory.recall(job_id) for job_id in asked), return_exceptions=True
    )

    assert isinstance(bad, PermanentError)
    assert isinstance(too_long, Exception)
    assert not isinstance(known, BaseException)
    assert known["cms:1"].created
    assert absent == {}


async def test_every_job_that_asks_raises_the_error_of_a_failed_read(
    mongo: MongoHandle, fail_command: FailCommand
) -> None:
    await mongo.memory.recall("opens a connection")
    async with fail_command(["find"], errorCode=91):
        answers = await asyncio.gather(
            *(mongo.memory.recall(f"job-{number}") for number in range(10)), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [OutageError] * 10
    assert await mongo.memory.recall("job-1") == {}


async def test_a_read_that_hangs_holds_only_its_own_jobs(mongo: MongoHandle, fail_command: FailCommand) -> None:
    await mongo.memory.recall("opens a connection")
    held = {"blockConnection": True, "blockTimeMS": 3_000}
    async with fail_command(["find"], mode={"times": 1}, **held) as until_received:
        hanging = asyncio.create_task(mongo.memory.recall("hangs"))
        # Else the server could receive the first of the others before it, and hold that one.
        await until_received()
        for number in range(5):
            assert await mongo.memory.recall(f"job-{number}") == {}
        assert not hanging.done()
        assert await hanging == {}


async def test_a_cancelled_job_leaves_the_shared_read_to_the_others(mongo: MongoHandle) -> None:
    asking = [asyncio.create_task(mongo.memory.recall(f"job-{number}")) for number in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()

    assert await asyncio.gather(*asking[1:]) == [{}, {}]
    with pytest.raises(asyncio.CancelledError):
        await asking[0]
