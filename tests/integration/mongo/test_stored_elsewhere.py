"""A preview finds hospitals that are stored under other identities than the records have."""

from typing import Any

import pytest

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import all_hospitals
from worker.mongo.client import MongoHandle

OAK = {"hospital_name": "Oak Hospital", "city": "Agra", "source": "moh"}
BY_CODE = {**OAK, "external_id": "0013"}
BY_NAME = {**OAK, "local_id": "D1"}


@pytest.mark.parametrize(
    ("stored", "record", "is_found"),
    [
        # Read by name and place before, and by code now, or the other way round.
        (BY_NAME, {**OAK, "hospital_name": "OAK hospital", "external_id": "D1"}, True),
        (BY_CODE, {**OAK, "local_id": "0013"}, True),
        (BY_CODE, OAK, True),
        # Another code.
        (BY_CODE, {**OAK, "external_id": "13"}, True),
        (BY_CODE, {**OAK, "hospital_name": "OAK HOSPITAL", "external_id": "13"}, True),
        (BY_CODE, {**OAK, "city": "282001 Agra", "external_id": "13"}, True),
        (BY_CODE, {**OAK, "city": "Brusk", "external_id": "13"}, False),
        (BY_CODE, {**OAK, "source": "other", "external_id": "13"}, False),
        (BY_CODE, {**OAK, "hospital_name": "Elm Hospital", "external_id": "13"}, False),
        ({**BY_CODE, "address": "Hill 1"}, {**OAK, "address": "Hill 2", "external_id": "13"}, False),
        # Less of the place, no source at first, and other letters.
        ({**OAK, "postal_code": "282001"}, OAK, True),
        ({**OAK, "source": None}, BY_CODE, True),
        (
            {**OAK, "hospital_name": "İSTANBUL HASTANESİ", "city": "KIRIKKALE"},
            {**OAK, "hospital_name": "İstanbul Hastanesi", "city": "Kırıkkale"},  # noqa: RUF001  # is about them
            True,
        ),
        # Stored as it is.
        (BY_CODE, BY_CODE, False),
    ],
)
async def test_hospitals_are_found_under_other_identities(
    mongo: MongoHandle, run_job: RunJob, stored: dict[str, Any], record: dict[str, Any], is_found: bool
) -> None:
    given = {field: value for field, value in stored.items() if value is not None}
    await run_job("ingest_hospitals", {"records": [given]})
    before = await all_hospitals(mongo)
    found = await run_job("preview_hospitals", {"records": [record]})
    expected = [(0, next(iter(before)))] if is_found else []
    assert [(it.index, it.hospital_id) for it in found.stored_elsewhere] == expected
    assert await all_hospitals(mongo) == before


async def test_each_stored_hospital_is_that_of_one_record(run_job: RunJob) -> None:
    await run_job("ingest_hospitals", {"records": [BY_CODE, {**OAK, "external_id": "0014"}]})
    records = [BY_CODE, *({**OAK, "external_id": code} for code in ("A", "B", "C"))]
    found = await run_job("preview_hospitals", {"records": records})
    assert [(it.index, it.hospital_id) for it in found.stored_elsewhere] == [(1, "moh:0014")]
    assert found.stored == 1


async def test_records_that_would_rename_hospitals_are_counted(run_job: RunJob) -> None:
    await run_job("ingest_hospitals", {"records": [{**OAK, "external_id": str(n)} for n in range(1, 4)]})
    records = [
        {**OAK, "external_id": str(n), "hospital_name": name}
        for n, name in enumerate(["Elm Hospital", "Oak", "OAK HOSPITAL OF AGRA"], start=1)
    ]
    merge = await run_job("preview_hospitals", {"records": records, "on_existing": "merge"})
    keep = await run_job("preview_hospitals", {"records": records})
    assert (merge.renamed, keep.renamed) == (1, 0)


async def test_names_are_looked_up_by_their_index(mongo: MongoHandle, run_job: RunJob) -> None:
    await run_job("ingest_hospitals", {"records": [{**OAK, "hospital_name": f"Oak {n}"} for n in range(500)]})
    condition = {"hospital_name": {"$in": ["Oak 3", "OAK 3"]}, "source": {"$in": ["moh", None]}}
    plan = await mongo.hospitals.find(condition).explain()
    assert plan["executionStats"]["totalDocsExamined"] == 1
    assert "hospital_name_1" in str(plan["queryPlanner"]["winningPlan"])
