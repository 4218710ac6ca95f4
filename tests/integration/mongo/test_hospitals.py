import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from worker.contract import HospitalRecord, IngestOutcome
from worker.contract.validation import parse
from worker.embedded import EmbeddedMongo
from worker.errors import InvalidPayload, OutageError, TransientError
from worker.mongo.client import MongoHandle
from worker.mongo.hospitals import ingest
from worker.mongo.memory import LISTED_CHANGES
from worker.mongo.reader import HospitalFilter, HospitalReader

Make = Callable[..., dict[str, Any]]
HOSTILE = ["$where", "$literal", "$$ROOT", "$hospital_name", "a.b", "{'$gt': ''}", "名前\N{HOSPITAL}"]


async def stored(mongo: MongoHandle, hospital_id: str = "cms:1") -> dict[str, Any]:
    hospital = await mongo.hospitals.find_one({"_id": hospital_id})
    assert hospital is not None
    return hospital


@pytest.mark.parametrize("mode", ["keep", "merge"])
async def test_one_of_fifty_concurrent_identical_ingests_creates_the_hospital(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str
) -> None:
    payload = {"record": record(), "on_existing": mode}
    outcomes = await asyncio.gather(*(run_job("ingest_hospital", payload, f"job-{n}") for n in range(50)))
    assert Counter(outcome.status for outcome in outcomes) == {"created": 1, "same": 49}
    assert await mongo.hospitals.count_documents({}) == 1
    assert (await stored(mongo))["revision"] == 1


@pytest.mark.parametrize("mode", ["keep", "merge"])
async def test_eight_hundred_concurrent_ingests_of_forty_hospitals_create_forty_documents(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str
) -> None:
    outcomes = await asyncio.gather(
        *(
            run_job(
                "ingest_hospital",
                {"record": record(external_id=str(hospital)), "on_existing": mode},
                f"job-{hospital}-{n}",
            )
            for n in range(20)
            for hospital in range(40)
        )
    )
    assert Counter(outcome.status for outcome in outcomes)["created"] == 40
    assert await mongo.hospitals.count_documents({}) == 40


@pytest.mark.parametrize("mode", ["keep", "merge"])
async def test_every_known_field_is_stored_and_unknown_ones_are_absent(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str
) -> None:
    full = record(
        hospital_type="multi",
        beds=12,
        emergency_services=False,
        address="1 Main",
        phone="555",
        location={"coordinates": [-73.5, 40]},
        attributes={"rating": 4, "score": 0.5, "open": True, "t": "x"},
        observed_at="2025-06-30T12:00:00.123456Z",
    )
    outcome = await run_job("ingest_hospital", {"record": full, "on_existing": mode})
    assert outcome.status == "created"
    hospital = await stored(mongo)
    assert hospital.pop("created_at") == hospital.pop("updated_at")
    assert hospital.pop("observed_at").isoformat() == "2025-06-30T12:00:00.123000+00:00"
    assert hospital == {
        "_id": "cms:1", "hospital_name": "Mercy", "source": "cms", "external_id": "1", "hospital_type": "multi",
        "beds": 12, "emergency_services": False, "address": "1 Main", "phone": "555",
        "location": {"type": "Point", "coordinates": [-73.5, 40.0]},
        "attributes": {"rating": 4, "score": 0.5, "open": True, "t": "x"},
        "status": "partial", "revision": 1, "created_by_job": "ingest_hospital",
    }  # fmt: skip


async def test_merge_changes_only_the_known_fields_of_the_record(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    first = record(city="Old", beds=5, attributes={"a": 1, "b": "x"})
    await run_job("ingest_hospital", {"record": first}, "first")
    second = record(city="New", phone="555", attributes={"b": "y", "c": True})
    outcome = await run_job("ingest_hospital", {"record": second, "on_existing": "merge"}, "second")
    assert (outcome.status, outcome.revision) == ("merged", 2)
    hospital = await stored(mongo)
    assert (hospital["city"], hospital["beds"], hospital["phone"]) == ("New", 5, "555")
    assert hospital["attributes"] == {"a": 1, "b": "y", "c": True}
    assert hospital["hospital_type"] == "single"
    assert hospital["created_by_job"] == "first"
    assert hospital["updated_at"] >= hospital["created_at"]


async def test_keep_changes_nothing(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    await run_job("ingest_hospital", {"record": record()}, "first")
    before = await stored(mongo)
    outcome = await run_job("ingest_hospital", {"record": record(city="New")}, "second")
    assert (outcome.status, [each.field for each in outcome.differences], outcome.revision) == ("kept", ["city"], 1)
    assert await stored(mongo) == before


async def test_merge_of_an_older_observation_changes_nothing(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record(observed_at="2025-02-01T00:00:00Z")}, "first")
    older = record(city="Old", observed_at="2025-01-01T00:00:00Z")
    outcome = await run_job("ingest_hospital", {"record": older, "on_existing": "merge"}, "second")
    assert outcome.status == "newer_stored"
    assert "city" not in await stored(mongo)


async def test_a_later_observation_of_the_same_fields_keeps_the_revision_and_blocks_older_ones(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    for month, city, status in (("01", "A", "created"), ("03", "A", "same"), ("02", "B", "newer_stored")):
        observed = record(city=city, observed_at=f"2025-{month}-01T00:00:00Z")
        outcome = await run_job("ingest_hospital", {"record": observed, "on_existing": "merge"}, month)
        assert outcome.status == status
    hospital = await stored(mongo)
    assert (hospital["city"], hospital["revision"], hospital["observed_at"].month) == ("A", 1, 3)


async def test_merge_leaves_a_registered_hospital_alone(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    await run_job("register_hospital", {"record": record(), "actor": "a", "reason": "r"})
    payload = {"record": record(city="New"), "on_existing": "merge"}
    outcome = await run_job("ingest_hospital", payload)
    assert outcome.status == "registered"
    assert "city" not in await stored(mongo)


async def test_a_redelivered_merge_does_not_overwrite_a_later_change(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "first")
    payload = {"record": record(city="B"), "on_existing": "merge"}
    first = await run_job("ingest_hospital", payload, "second")
    await run_job("ingest_hospital", {"record": record(city="C"), "on_existing": "merge"}, "third")
    again = await run_job("ingest_hospital", payload, "second")
    assert again.model_copy(update={"token": None}) == first.model_copy(update={"token": None})
    hospital = await stored(mongo)
    assert (hospital["city"], hospital["revision"]) == ("C", 3)


async def test_applied_jobs_is_bounded(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    for n in range(25):
        payload = {"record": record(beds=n), "on_existing": "merge"}
        await run_job("ingest_hospital", payload, f"job-{n}")
    jobs = [entry["job"] for entry in (await stored(mongo))["applied_jobs"]]
    assert len(jobs) <= LISTED_CHANGES
    # The latest stay; the older ones were moved to the memory.
    assert jobs == [f"job-{n}" for n in range(25 - len(jobs), 25)]
    remembered = {memory["_id"]["job"] for memory in await mongo.database["applied_jobs"].find({}).to_list(None)}
    assert remembered == {f"job-{n}" for n in range(1, 25 - len(jobs))}


@pytest.mark.parametrize("mode", ["keep", "merge"])
@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_stored_unchanged(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str, text: str
) -> None:
    payload = {"record": record(external_id="bystander")}
    await run_job("ingest_hospital", payload, "bystander")
    bystander = await stored(mongo, "cms:bystander")
    for city in (text, "Elsewhere", text):
        hostile = record(hospital_name=text, external_id=text, city=city, attributes={"a": text})
        await run_job("ingest_hospital", {"record": hostile, "on_existing": mode}, f"{text}-{city}")
        hospital = await stored(mongo, f"cms:{text}")
        assert (hospital["hospital_name"], hospital["attributes"]) == (text, {"a": text})
        assert hospital["city"] == (text if mode == "keep" else city)
        hostile_changes = {"hospital_name": text, "city": text, "attributes": {"a": text}}
        outcome = await run_job(
            "correct_hospital",
            {"hospital_id": f"cms:{text}", "revision": hospital["revision"], "changes": hostile_changes},
            f"correct-{text}-{city}-{hospital['revision']}",
        )
        assert outcome.status == "corrected"
    assert (await stored(mongo, f"cms:{text}"))["city"] == text
    assert await stored(mongo, "cms:bystander") == bystander


async def test_a_correction_sets_and_clears_fields(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    await run_job("ingest_hospital", {"record": record(city="A", phone="1", attributes={"a": 1})})
    changes = {"city": "B", "phone": None, "attributes": {"b": 2}, "location": {"coordinates": [1, 2]}}
    payload = {"hospital_id": "cms:1", "revision": 1, "changes": changes}
    outcome = await run_job("correct_hospital", payload)
    assert (outcome.status, outcome.revision) == ("corrected", 2)
    hospital = await stored(mongo)
    assert (hospital["city"], hospital["attributes"], hospital["revision"]) == ("B", {"b": 2}, 2)
    assert hospital["location"]["coordinates"] == [1.0, 2.0]
    assert "phone" not in hospital


async def test_one_of_two_concurrent_corrections_of_a_revision_succeeds(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()})
    outcomes = await asyncio.gather(
        *(
            run_job(
                "correct_hospital",
                {"hospital_id": "cms:1", "revision": 1, "changes": {"city": city}},
                f"correct-{city}",
            )
            for city in "AB"
        )
    )
    assert Counter((outcome.status, outcome.reason) for outcome in outcomes) == {
        ("corrected", None): 1,
        ("conflict", "revision"): 1,
    }


async def test_a_correction_of_an_absent_hospital_returns_not_found(run_job: Any) -> None:
    payload = {"hospital_id": "cms:9", "revision": 1, "changes": {"city": "B"}}
    assert (await run_job("correct_hospital", payload)).status == "not_found"


async def test_registered_hospitals_are_neither_corrected_nor_discarded(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("register_hospital", {"record": record(), "actor": "a", "reason": "r"})
    before = await stored(mongo)
    payload = {"hospital_id": "cms:1", "revision": 1}
    discarded = await run_job("discard_hospital", payload)
    corrected = await run_job("correct_hospital", {**payload, "changes": {"city": "B"}})
    assert (discarded.status, discarded.reason, discarded.revision) == ("conflict", "registered", 1)
    assert (corrected.status, corrected.reason, corrected.revision) == ("conflict", "registered", 1)
    assert await stored(mongo) == before


async def test_a_discard_requires_the_stored_revision(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    await run_job("ingest_hospital", {"record": record()})
    stale = await run_job("discard_hospital", {"hospital_id": "cms:1", "revision": 7}, "stale")
    assert (stale.status, stale.reason, stale.revision) == ("conflict", "revision", 1)
    done = await run_job("discard_hospital", {"hospital_id": "cms:1", "revision": 1}, "right")
    assert (done.status, done.revision) == ("discarded", 1)
    assert await mongo.hospitals.count_documents({}) == 0


async def test_an_invalid_payload_writes_nothing(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    with pytest.raises(InvalidPayload, match=r"record\.hospital_name"):
        await run_job("ingest_hospital", {"record": record(hospital_name={"$gt": ""})})
    assert await mongo.hospitals.count_documents({}) == 0


async def test_five_hundred_concurrent_ingests_share_one_client_within_its_pool(
    open_handle: Any, replica_set: EmbeddedMongo
) -> None:
    async with open_handle(replica_set.url, mongodb_pool_size=5) as (mongo, _):

        async def one(n: int) -> IngestOutcome:
            known = parse(HospitalRecord, {"hospital_name": f"H {n}"})
            return await ingest(mongo, known, "keep", f"job-{n}")

        outcomes = await asyncio.gather(*(one(n) for n in range(500)))
        assert {outcome.status for outcome in outcomes} == {"created"}
        assert mongo.pool.checked_out == 0
        assert 2 <= mongo.pool.highest <= 5
        assert mongo.pool.created <= 5


async def test_an_error_names_its_code_and_quotes_nothing_of_the_document(
    mongo: MongoHandle, fail_command: Any, record: Make
) -> None:
    known = parse(HospitalRecord, record())
    async with fail_command(["findAndModify"], errorCode=14031):
        with pytest.raises(OutageError, match=r"OutOfDiskSpace \(14031\)") as refused:
            await ingest(mongo, known, "keep", "job")
    assert "Mercy" not in str(refused.value)
    async with fail_command(["findAndModify"], errorCode=50):
        with pytest.raises(TransientError, match="MaxTimeMSExpired"):
            await ingest(mongo, known, "keep", "job")
    assert await mongo.hospitals.count_documents({}) == 0


async def test_a_merge_with_unconfirmed_majority_is_applied_once_when_retried(
    mongo: MongoHandle, run_job: Any, fail_command: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()}, "first")
    payload = {"record": record(beds=1), "on_existing": "merge"}
    unconfirmed = {"code": 64, "errmsg": "waiting for replication timed out"}
    async with fail_command(["findAndModify"], mode={"times": 1}, writeConcernError=unconfirmed):
        with pytest.raises(OutageError, match="WriteConcernTimeout"):
            await run_job("ingest_hospital", payload, "second")
    outcome = await run_job("ingest_hospital", payload, "second")
    assert (outcome.status, outcome.revision) == ("merged", 2)
    assert (await stored(mongo))["revision"] == 2


async def test_find_yields_matching_hospitals_without_applied_jobs(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    for n, (city, state) in enumerate([("A", "NY"), ("A", "IL"), ("B", "NY")]):
        payload = {"record": record(external_id=f"h{n}", city=city, state=state), "on_existing": "merge"}
        await run_job("ingest_hospital", payload, f"job-{n}")
    changes = {"hospital_id": "cms:h0", "revision": 1, "changes": {"beds": 1}}
    corrected = await run_job("correct_hospital", changes)
    reader = HospitalReader(mongo)
    wanted = HospitalFilter(city="A", state="NY", source="cms", status="partial", hospital_type="single")
    found = [hospital async for hospital in reader.find(wanted, token=corrected.token)]
    assert [(hospital["_id"], hospital["beds"]) for hospital in found] == [("cms:h0", 1)]
    assert "applied_jobs" not in found[0]
    assert len([hospital async for hospital in reader.find(token=corrected.token)]) == 3
    assert await reader.find_one("cms:h0", token=corrected.token) == found[0]
    assert await reader.find_one("cms:9") is None


async def test_an_invalid_token_is_refused(mongo: MongoHandle) -> None:
    with pytest.raises(InvalidPayload, match="not a token"):
        await HospitalReader(mongo).find_one("cms:1", token="nonsense")
