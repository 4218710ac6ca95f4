"""How long what an import leaves in MongoDB stays there: the tables of docs/operations.md."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import Make, chunk, store
from worker.mongo.client import MongoHandle


async def expires(mongo: MongoHandle, collection: str) -> bool:
    """Return whether MongoDB removes documents of a collection at the time that they name."""
    indexes: Mapping[str, Any] = await mongo.database[collection].index_information()
    return any("expireAfterSeconds" in index for index in indexes.values())


async def test_reports_are_kept_for_30_days_and_imports_for_good(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record(beds=1))
    await run_job("ingest_hospitals", chunk(record(beds=2), lines=[2]) | {"chunk": 0}, "1")

    (report,) = await mongo.database["import_reports"].find({}).to_list(None)
    left = report["expires_at"] - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert await expires(mongo, "import_reports")
    assert not await expires(mongo, "imports")


async def test_a_chunk_without_anything_to_report_leaves_nothing(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospitals", chunk(record(), lines=[2]) | {"chunk": 0}, "1")

    assert await mongo.hospitals.count_documents({}) == 1
    assert await mongo.database["import_reports"].count_documents({}) == 0
    assert await mongo.database["import_claims"].count_documents({}) == 0
