"""A job with an idempotency key repeats its answer also if it changed nothing, whatever happens afterwards."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.mongo.conftest import FailCommand, RunJob
from worker.contract import (
    CORRECT_HOSPITAL,
    INGEST_HOSPITAL,
    INGEST_HOSPITALS,
    ChunkOutcome,
    DiscardHospital,
    HospitalRecord,
    IngestOutcome,
    RecordStatus,
    new_job_id,
)
from worker.errors import ConflictError, KeyUsedTwice, TransientError
from worker.mongo import hospitals
from worker.mongo.answers import answer_chunk_once, answer_once
from worker.mongo.client import MongoHandle

Make = Callable[..., dict[str, Any]]
ACT = {"actor": "a", "reason": "b"}
RECORD = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
# The jobs that change nothing about "cms:1" if it is partial and has revision 2.
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("ingest_hospital", {"record": {"beds": 9}, "on_existing": "keep"}),
    ("ingest_hospital", {"record": {"beds": 2}, "on_existing": "merge"}),
    ("ingest_hospitals", {"records": [{"beds": 9}], "on_existing": "keep"}),
    ("ingest_hospitals", {"records": [{"beds": 2}], "on_existing": "merge"}),
    ("correct_hospital", {"revision": 1, "changes": {"city": "A"}}),
    ("discard_hospital", {"revision": 1}),
    ("amend_hospital", {"revision": 1, "changes": {"city": "A"}, **ACT}),
    ("withdraw_hospital", {"revision": 1, **ACT}),
]


def payload_of(name: str, fields: dict[str, Any], record: Make) -> dict[str, Any]:
    if name == "ingest_hospital":
        return {**fields, "record": record(**fields["record"])}
    if name == "ingest_hospitals":
        return {**fields, "records": [record(**values) for values in fields["records"]]}
    return {**fields, "hospital_id": "cms:1"}


async def store(run_job: RunJob, record: Make, tag: str) -> None:
    """Store the hospital with two beds and revision 2."""
    await run_job("ingest_hospital", {"record": record(beds=1)}, f"{tag} creates")
    await run_job("ingest_hospital", {"record": record(beds=2), "on_existing": "merge"}, f"{tag} merges")


async def remove(run_job: RunJob, tag: str, revision: int = 2) -> None:
    payload = {"hospital_id": "cms:1", "revision": revision}
    assert (await run_job("discard_hospital", payload, f"{tag} discards")).status == "discarded"


async def memories(mongo: MongoHandle) -> list[dict[str, Any]]:
    return await mongo.database["applied_jobs"].find({}).to_list(None)


def without_token(outcome: Any) -> Any:
    return outcome.model_copy(update={"token": None})


@pytest.mark.parametrize(("name", "fields"), REFUSED)
async def test_a_refused_job_repeats_its_answer(
    mongo: MongoHandle, run_job: RunJob, record: Make, name: str, fields: dict[str, Any]
) -> None:
    payload = payload_of(name, fields, record)
    await store(run_job, record, "first")
    refused = without_token(await run_job(name, payload, "key"))
    assert await mongo.hospitals.count_documents({"revision": 2, "beds": 2}) == 1

    await run_job("ingest_hospital", {"record": record(beds=3), "on_existing": "merge"}, "another merge")
    assert without_token(await run_job(name, payload, "key")) == refused
    assert await mongo.hospitals.count_documents({"revision": 3, "beds": 3}) == 1
    await remove(run_job, "first", revision=3)
    assert without_token(await run_job(name, payload, "key")) == refused
    assert await mongo.hospitals.count_documents({}) == 0
    await run_job("ingest_hospital", {"record": record(beds=4)}, "another")
    assert without_token(await run_job(name, payload, "key")) == refused
    assert await mongo.hospitals.count_documents({"revision": 1, "beds": 4}) == 1
    registration = {"record": record(), **ACT}
    assert (await run_job("register_hospital", registration, "registers")).status == "registered"
    assert without_token(await run_job(name, payload, "key")) == refused
    assert await mongo.hospitals.count_documents({"revision": 2, "beds": 4, "status": "registered"}) == 1


async def test_a_correction_of_no_hospital_repeats_its_answer(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    payload = {"hospital_id": "cms:1", "revision": 1, "changes": {"city": "A"}}
    first = await run_job("correct_hospital", payload, "key")
    await run_job("ingest_hospital", {"record": record()}, "creates")

    assert first.status == "not_found"
    assert without_token(await run_job("correct_hospital", payload, "key")) == without_token(first)
    assert await mongo.hospitals.count_documents({"city": "A"}) == 0


async def test_a_job_without_a_key_stores_no_answer(mongo: MongoHandle, run_job: RunJob, record: Make) -> None:
    await store(run_job, record, "first")
    for spec, (name, fields) in (
        (INGEST_HOSPITAL, REFUSED[0]),
        (INGEST_HOSPITALS, REFUSED[2]),
        (CORRECT_HOSPITAL, REFUSED[4]),
    ):
        await run_job(name, payload_of(name, fields, record), new_job_id(spec))

    assert await memories(mongo) == []


async def test_a_job_that_changed_something_stores_no_answer(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record, "first")
    payload = {"hospital_id": "cms:1", "revision": 2, "changes": {"city": "A"}}
    assert (await run_job("correct_hospital", payload, "key")).status == "corrected"

    assert await memories(mongo) == []


async def test_an_answer_is_kept_for_a_month(mongo: MongoHandle, run_job: RunJob, record: Make) -> None:
    await store(run_job, record, "first")
    payload = {"record": record(beds=9), "on_existing": "keep"}
    await run_job("ingest_hospital", payload, "key")
    (memory,) = await memories(mongo)
    assert timedelta(days=29, hours=23) < memory["expires_at"] - datetime.now(UTC) <= timedelta(days=30)
    await remove(run_job, "first")
    # As MongoDB does when the time has come.
    await mongo.database["applied_jobs"].delete_many({})

    assert (await run_job("ingest_hospital", payload, "key")).status == "created"


async def test_a_key_that_was_answered_for_another_hospital_is_refused(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record, "first")
    assert (await run_job("ingest_hospital", {"record": record()}, "key")).status == "same"
    with pytest.raises(KeyUsedTwice):
        await run_job("ingest_hospital", {"record": record(external_id="2")}, "key")

    assert await mongo.hospitals.count_documents({}) == 1


async def test_an_answer_that_could_not_be_stored_is_not_given(
    mongo: MongoHandle, run_job: RunJob, record: Make, fail_command: FailCommand
) -> None:
    await store(run_job, record, "first")
    payload = {"record": record(beds=9), "on_existing": "keep"}
    async with fail_command(["update"], mode={"times": 1}, errorCode=50):
        with pytest.raises(TransientError):
            await run_job("ingest_hospital", payload, "key")
    await remove(run_job, "first")

    assert (await run_job("ingest_hospital", payload, "key")).status == "created"


def delivery(mongo: MongoHandle, act: Callable[[], Awaitable[IngestOutcome]]) -> Awaitable[IngestOutcome]:
    return answer_once(mongo, "key", RECORD, IngestOutcome, act)


def ingesting(mongo: MongoHandle, beds: int) -> Callable[[], Awaitable[IngestOutcome]]:
    return lambda: hospitals.ingest(mongo, RECORD.model_copy(update={"beds": beds}), "merge", "key")


async def test_two_deliveries_that_change_nothing_agree(mongo: MongoHandle, run_job: RunJob, record: Make) -> None:
    await store(run_job, record, "first")

    async def overtaken() -> IngestOutcome:
        outcome = await ingesting(mongo, 2)()
        await run_job("ingest_hospital", {"record": record(city="B"), "on_existing": "merge"}, "another merge")
        await delivery(mongo, ingesting(mongo, 2))
        return outcome

    outcome = await delivery(mongo, overtaken)
    assert (outcome.status, outcome.revision) == ("same", 3)
    assert without_token(await delivery(mongo, ingesting(mongo, 2))) == without_token(outcome)


@pytest.mark.parametrize("removed", [False, True])
async def test_a_delivery_that_changed_the_hospital_counts_more_than_one_that_did_not(
    mongo: MongoHandle, run_job: RunJob, record: Make, removed: bool
) -> None:
    await store(run_job, record, "first")

    async def overtaken() -> IngestOutcome:
        outcome = await ingesting(mongo, 2)()
        if outcome.status == "same":
            await run_job("ingest_hospital", {"record": record(beds=3), "on_existing": "merge"}, "another merge")
            assert (await delivery(mongo, ingesting(mongo, 2))).revision == 4
            if removed:
                await remove(run_job, "first", revision=4)
        return outcome

    outcome = await delivery(mongo, overtaken)
    assert (outcome.status, outcome.revision) == ("merged", 4)
    assert without_token(await delivery(mongo, ingesting(mongo, 2))) == without_token(outcome)
    if not removed:
        await remove(run_job, "first", revision=4)
    assert without_token(await delivery(mongo, ingesting(mongo, 2))) == without_token(outcome)
    assert await mongo.hospitals.count_documents({}) == 0


async def test_a_change_after_the_answer_was_stored_is_found(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record, "first")
    assert (await delivery(mongo, ingesting(mongo, 2))).status == "same"
    await run_job("ingest_hospital", {"record": record(beds=3), "on_existing": "merge"}, "another merge")
    # A delivery that had looked for an answer before there was one.
    late = await ingesting(mongo, 2)()

    assert late.status == "merged"
    assert without_token(await delivery(mongo, ingesting(mongo, 2))) == without_token(late)


async def test_a_discard_that_was_refused_in_another_delivery_removes_nothing(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record, "first")
    payload = DiscardHospital(hospital_id="cms:1", revision=3)
    refused = await run_job("discard_hospital", payload.model_dump(), "key")
    await run_job("ingest_hospital", {"record": record(beds=3), "on_existing": "merge"}, "another merge")
    # A delivery that had looked for an answer before there was one.
    with pytest.raises(ConflictError):
        await hospitals.discard(mongo, payload, "key")

    assert refused.status == "conflict"
    assert await mongo.hospitals.count_documents({}) == 1
    assert without_token(await run_job("discard_hospital", payload.model_dump(), "key")) == without_token(refused)


@pytest.mark.parametrize("removed", [False, True])
async def test_a_discard_that_failed_half_way_and_is_refused_then_repeats_that(
    mongo: MongoHandle, run_job: RunJob, record: Make, fail_command: FailCommand, removed: bool
) -> None:
    """It has written down what it was about to remove, and did not remove it."""
    await store(run_job, record, "first")
    payload = {"hospital_id": "cms:1", "revision": 2}
    async with fail_command(["delete"], mode={"times": 1}, errorCode=50):
        with pytest.raises(TransientError):
            await run_job("discard_hospital", payload, "key")
    await run_job("ingest_hospital", {"record": record(beds=3), "on_existing": "merge"}, "another merge")
    refused = await run_job("discard_hospital", payload, "key")
    if removed:
        await remove(run_job, "first", revision=3)

    assert refused.status == "conflict"
    assert without_token(await run_job("discard_hospital", payload, "key")) == without_token(refused)


async def test_a_discard_that_refuses_itself_repeats_that(
    mongo: MongoHandle, run_job: RunJob, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another job changes the hospital after the discard has written down that it is about to remove it."""
    await store(run_job, record, "first")
    remember = mongo.memory.remember_discard

    async def overtaken(*args: Any) -> None:
        await remember(*args)
        await run_job("ingest_hospital", {"record": record(beds=3), "on_existing": "merge"}, "another merge")

    monkeypatch.setattr(mongo.memory, "remember_discard", overtaken)
    payload = {"hospital_id": "cms:1", "revision": 2}
    refused = await run_job("discard_hospital", payload, "key")

    assert (refused.status, refused.revision) == ("conflict", 3)
    await remove(run_job, "first", revision=3)
    assert without_token(await run_job("discard_hospital", payload, "key")) == without_token(refused)


def chunk(*statuses: RecordStatus) -> ChunkOutcome:
    return ChunkOutcome(statuses=list(statuses))


@pytest.mark.parametrize(
    ("first", "last", "counts"),
    [
        (chunk("kept", "created"), chunk("kept", "created"), chunk("kept", "created")),
        (chunk("kept", "rejected"), chunk("rejected", "kept"), chunk("kept", "rejected")),
        (chunk("kept", "created"), chunk("merged", "created"), chunk("merged", "created")),
        (chunk("merged", "created"), chunk("merged", "kept"), chunk("merged", "created")),
    ],
)
async def test_two_deliveries_of_a_chunk_agree(
    mongo: MongoHandle, first: ChunkOutcome, last: ChunkOutcome, counts: ChunkOutcome
) -> None:
    async def act() -> ChunkOutcome:
        return first

    async def overtaken() -> ChunkOutcome:
        assert await answer_chunk_once(mongo, "key", act) == first
        return last

    async def unwanted() -> ChunkOutcome:
        raise AssertionError("a stored answer is repeated without a further run")

    assert without_token(await answer_chunk_once(mongo, "key", overtaken)) == counts
    assert without_token(await answer_chunk_once(mongo, "key", unwanted)) == counts


async def test_the_answer_of_a_full_chunk_takes_little_room(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    payload = {"records": [record(external_id=str(number)) for number in range(1_000)]}
    first = await run_job("ingest_hospitals", payload, "first")
    await mongo.database["applied_jobs"].delete_many({})
    again = await run_job("ingest_hospitals", payload, "key")

    assert (first.count("created"), again.count("same")) == (1_000, 1_000)
    (memory,) = await memories(mongo)
    assert len(memory["answer"]) < 200


async def test_a_chunk_with_very_many_problems_reports_the_first_of_each_record(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    unknown = {f"{number:064d}": 1 for number in range(100)}
    payload = {"records": [record(**unknown) for _ in range(30)]}
    many = await run_job("ingest_hospitals", payload, new_job_id(INGEST_HOSPITALS))
    few = await run_job("ingest_hospitals", payload, "key")

    assert sum(len(rejection.problems) for rejection in many.rejections) == 3_000
    assert few.statuses == many.statuses
    assert [rejection.problems for rejection in few.rejections] == [each.problems[:1] for each in many.rejections]
    assert without_token(await run_job("ingest_hospitals", payload, "key")) == without_token(few)
