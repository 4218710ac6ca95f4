"""Whatever a job is sent, its payload reaches MongoDB only as values, never as operators."""

from typing import Any

import pytest

from tests.security.conftest import RunJob
from worker.errors import InvalidPayload
from worker.mongo.client import MongoHandle

ACT = {"actor": "dr-ito", "reason": "licence"}
OPERATORS: list[Any] = [
    {"$gt": ""},
    {"$ne": None},
    {"$regex": ".*"},
    {"$where": "true"},
    {"$expr": True},
    ["cms:1"],
]
RECORD = {"hospital_name": "Mercy", "source": "cms", "external_id": "injected"}
KNOWN = {"hospital_id": "cms:injected"}

# For each job, a payload that would change the hospital, and the fields that are replaced by operators.
TARGETS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("ingest_hospital", {"record": RECORD, "on_existing": "merge"}, ["record", "on_existing"]),
    ("correct_hospital", {**KNOWN, "revision": 1, "changes": {"beds": 9}}, ["hospital_id", "revision", "changes"]),
    ("discard_hospital", {**KNOWN, "revision": 1}, ["hospital_id", "revision"]),
    ("register_hospital", {"record": RECORD, **ACT}, ["record", "actor", "reason"]),
    ("amend_hospital", {**KNOWN, "changes": {"beds": 9}, **ACT}, ["hospital_id", "revision", "changes", "actor"]),
    ("withdraw_hospital", {**KNOWN, **ACT}, ["hospital_id", "revision", "actor", "reason"]),
]


@pytest.mark.parametrize(("job", "payload", "fields"), TARGETS, ids=[target[0] for target in TARGETS])
async def test_an_operator_in_any_field_is_refused_before_mongodb(
    mongo: MongoHandle, run_job: RunJob, job: str, payload: dict[str, Any], fields: list[str]
) -> None:
    await run_job("ingest_hospital", {"record": RECORD})
    before = [await mongo.hospitals.find_one({"_id": "cms:injected"}), await mongo.logs.count_documents({})]
    for field in fields:
        for operator in OPERATORS:
            with pytest.raises(InvalidPayload):
                await run_job(job, {**payload, field: operator})
    after = [await mongo.hospitals.find_one({"_id": "cms:injected"}), await mongo.logs.count_documents({})]
    assert after == before


@pytest.mark.parametrize("field", ["source", "external_id", "hospital_name", "phone", "beds", "hospital_type"])
async def test_an_operator_in_a_record_of_a_chunk_rejects_that_record(
    mongo: MongoHandle, run_job: RunJob, field: str
) -> None:
    count = await mongo.hospitals.count_documents({})
    records = [{**RECORD, "external_id": f"chunk-{field}", field: operator} for operator in OPERATORS]
    outcome = await run_job("ingest_hospitals", {"records": records, "on_existing": "merge"})
    assert set(outcome.statuses) == {"rejected"}
    assert await mongo.hospitals.count_documents({}) == count
