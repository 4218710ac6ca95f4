import asyncio
from typing import Any

import pytest
from pymongo.errors import WriteError

from worker.contract.fields import MAX_ATTRIBUTE_TEXT
from worker.embedded import EmbeddedMongo
from worker.errors import PermanentError
from worker.mongo.client import MongoHandle
from worker.mongo.schema import ensure_schema
from worker.mongo.validators import (
    APPLIED_JOBS_VALIDATOR,
    HOSPITALS_VALIDATOR,
    LOGS_VALIDATOR,
    MAX_STORED_ATTRIBUTES,
)


async def validator(mongo: MongoHandle, name: str) -> Any:
    answer = await mongo.database.command("listCollections", filter={"name": name})
    return answer["cursor"]["firstBatch"][0]["options"]["validator"]


async def test_five_concurrent_starts_create_one_schema(open_handle: Any, replica_set: EmbeddedMongo) -> None:
    async with open_handle(replica_set.url) as (mongo, _):
        await asyncio.gather(*(ensure_schema(mongo) for _ in range(5)))
        await ensure_schema(mongo)
        assert await validator(mongo, "hospitals") == HOSPITALS_VALIDATOR
        assert await validator(mongo, "logs") == LOGS_VALIDATOR
        assert set(await mongo.hospitals.index_information()) == {
            "_id_",
            "hospital_name_1",
            "hospital_name_letters",
        }
        logs = await mongo.logs.index_information()
        assert logs["hospital_id_1_seq_1"]["unique"] is True
        assert await validator(mongo, "applied_jobs") == APPLIED_JOBS_VALIDATOR
        memory = await mongo.database["applied_jobs"].index_information()
        assert set(memory) == {"_id_", "_id.job_1", "expires_at_1"}
        assert memory["expires_at_1"]["expireAfterSeconds"] == 0


async def test_an_older_validator_is_updated(mongo: MongoHandle) -> None:
    await mongo.database.command("collMod", "hospitals", validator={})
    await asyncio.gather(*(ensure_schema(mongo) for _ in range(5)))
    assert await validator(mongo, "hospitals") == HOSPITALS_VALIDATOR


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"beds": 1.5},
        {"beds": -1},
        {"status": "open"},
        {"revision": 0},
        {"attributes": {"nested": {"a": 1}}},
        {"attributes": ["a"]},
        {"location": {"type": "Point", "coordinates": [1.0]}},
        {"observed_at": "2025-01-01"},
        {"hospital_name": {"$gt": ""}},
        {"applied_jobs": ["job"]},
    ],
)
async def test_the_validator_refuses_an_invalid_hospital_from_any_client(
    mongo: MongoHandle, run_job: Any, record: Any, change: dict[str, Any]
) -> None:
    await run_job("ingest_hospital", {"record": record()})
    with pytest.raises(WriteError) as refused:
        await mongo.hospitals.update_one(
            {"_id": "cms:1"}, [{"$set": {k: {"$literal": v} for k, v in change.items()}}]
        )
    assert refused.value.code == 121


async def test_the_largest_values_that_the_contract_accepts_are_stored(run_job: Any) -> None:
    record = {
        "hospital_name": "\N{LATIN SMALL LETTER A WITH DIAERESIS}" * 300,
        "source": "a" * 64,
        "external_id": "\N{HOSPITAL}" * 128,
        "beds": 100_000,
        "emergency_services": True,
        "hospital_type": "multi",
        "location": {"type": "Point", "coordinates": [-180, 90]},
        "observed_at": "1900-01-01T00:00:00Z",
        "attributes": {
            **{f"k{n}": "\N{HOSPITAL}" * 1_000 for n in range(46)},
            "low": -(2**63), "high": 2**63 - 1, "small": 5e-324, "flag": False,
        },
        **dict.fromkeys(
            ["address", "city", "state", "postal_code", "county", "country", "phone", "ownership"], "$" * 200
        ),
    }  # fmt: skip
    merged = {"record": {**record, "beds": 0}, "on_existing": "merge"}
    assert (await run_job("ingest_hospital", {"record": record}, "first")).status == "created"
    assert (await run_job("ingest_hospital", merged, "second")).status == "merged"
    registration = {"record": record, "actor": "a" * 200, "reason": "r" * 1_000}
    assert (await run_job("register_hospital", registration)).status == "registered"


async def test_a_hospital_with_the_most_attributes_can_still_be_registered(
    mongo: MongoHandle, run_job: Any, record: Any
) -> None:
    longest = "\N{HOSPITAL}" * MAX_ATTRIBUTE_TEXT
    full = {f"a{number}": longest for number in range(MAX_STORED_ATTRIBUTES)}
    await run_job("ingest_hospital", {"record": record()}, "first")
    await mongo.hospitals.update_one({"_id": "cms:1"}, {"$set": {"attributes": full}})
    one_more = {"record": record(attributes={"more": 1}), "on_existing": "merge"}
    with pytest.raises(PermanentError, match="DocumentValidationFailure"):
        await run_job("ingest_hospital", one_more, "one-more")

    by = {"actor": "Ada", "reason": "checked"}
    assert (await run_job("register_hospital", {"record": record(beds=5), **by})).status == "registered"
    entry = await mongo.logs.find_one({"hospital_id": "cms:1"})
    assert entry is not None
    assert entry["before"]["attributes"] == entry["after"]["attributes"] == full
