"""The history of ended jobs in MongoDB: stored once, found by what is in it, and bounded."""

from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.mongo.conftest import FailCommand
from worker.contract.job_ends import EndFilter, EndGroup, JobEnd, encode_traces
from worker.errors import OperationRefused
from worker.mongo.client import MongoHandle
from worker.mongo.documents import now
from worker.mongo.job_history import JOB_HISTORY, JobHistory, find_groups
from worker.mongo.schema import ensure_schema

BASE_MS = 1_764_300_000_000
END = JobEnd("a", "step", "arq:queue", "complete", 1, BASE_MS, BASE_MS, BASE_MS)


def group(number: int, *ends: JobEnd) -> EndGroup:
    stored_ms = BASE_MS + number
    return EndGroup(
        f"{stored_ms:013}-000000-w", stored_ms, "w", encode_traces("w", [tuple(e) for e in ends]).decode()
    )


def history(mongo: MongoHandle, most_jobs: int = 1_000_000) -> JobHistory:
    return JobHistory(mongo, days=30, most_jobs=most_jobs)


async def found(mongo: MongoHandle, before: str = "", **wanted: Any) -> list[str]:
    async with aclosing(find_groups(mongo, EndFilter(**wanted), before)) as groups:
        return [past.end.job_id async for found in groups for past in found.ends()]


async def test_a_group_that_is_stored_again_is_kept_once(mongo: MongoHandle) -> None:
    first, second = group(1, END), group(2, END._replace(job_id="b"))
    await history(mongo).store([first])

    await history(mongo).store([first, second])

    assert await found(mongo) == ["b", "a"]


async def test_nothing_to_store_is_no_error(mongo: MongoHandle) -> None:
    await history(mongo).store([])

    assert await found(mongo) == []


async def test_each_value_finds_its_groups_by_an_index(mongo: MongoHandle) -> None:
    values: dict[str, Any] = {
        "function": "other",
        "hospital_id": "cms:7",
        "outcome": "dead",
        "error": "Bad",
        "batch": "load-7",
    }
    await history(mongo).store([group(1, END), group(2, END, END._replace(job_id="b", **values)), group(3, END)])

    for field, value in {"job_id": "b", **values}.items():
        assert await found(mongo, **{field: value}) == ["b", "a"], field
    stored = await mongo.database[JOB_HISTORY].find({}).sort("_id", -1).to_list(None)
    assert [len(document) for document in stored] == [9, 12, 9]
    for field in ("jobs", "functions", "hospitals", "outcomes", "errors", "batches"):
        plan = await mongo.database.command(
            {
                "explain": {"find": JOB_HISTORY, "filter": {field: "x"}, "sort": {"_id": -1}},
                "verbosity": "queryPlanner",
            }
        )
        assert field in str(plan["queryPlanner"]["winningPlan"]), field
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), field


async def test_groups_are_found_by_time_and_before_another(mongo: MongoHandle) -> None:
    groups = [group(number, END._replace(job_id=str(number))) for number in range(1, 5)]
    await history(mongo).store(groups)

    assert await found(mongo, since_ms=BASE_MS + 2) == ["4", "3", "2"]
    assert await found(mongo, until_ms=BASE_MS + 3) == ["2", "1"]
    assert await found(mongo, groups[2].group_id) == ["3", "2", "1"]
    assert await found(mongo, groups[2].group_id, since_ms=BASE_MS + 2, until_ms=BASE_MS + 3) == ["2"]


async def test_groups_expire_after_the_days_that_they_are_kept(mongo: MongoHandle) -> None:
    await history(mongo).store([group(1, END)])

    stored = await mongo.database[JOB_HISTORY].find_one({})
    indexes = await mongo.database[JOB_HISTORY].index_information()
    assert stored is not None
    assert abs(stored["expires_at"] - now() - timedelta(days=30)) < timedelta(minutes=1)
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0


async def test_the_oldest_groups_beyond_the_most_jobs_are_removed(mongo: MongoHandle) -> None:
    small = history(mongo, most_jobs=100)
    await small.store([group(number, *[END._replace(job_id=str(number))] * 50) for number in range(1, 6)])
    await small.trim()

    assert set(await found(mongo)) == {"5", "4"}

    # Within the hour it is not looked at again.
    await small.store([group(6, END)])
    assert len(await found(mongo)) == 101


async def test_documents_of_other_programs_are_passed_over(mongo: MongoHandle) -> None:
    await history(mongo).store([group(1, END)])
    await mongo.database.command("collMod", JOB_HISTORY, validator={})
    await mongo.database[JOB_HISTORY].insert_many([{"_id": "9"}, {"_id": "9z", "at": 1, "worker": 2, "traces": 3}])

    assert await found(mongo) == ["a"]
    await ensure_schema(mongo)


async def test_a_refused_write_is_an_error_of_the_service(mongo: MongoHandle, fail_command: FailCommand) -> None:
    async with fail_command(["insert"], errorCode=13):
        with pytest.raises(OperationRefused):
            await history(mongo).store([group(1, END)])


async def test_an_id_that_only_begins_like_another_is_not_found(mongo: MongoHandle) -> None:
    await history(mongo).store([group(1, END._replace(job_id="abc"))])

    assert await found(mongo, job_id="ab") == []
