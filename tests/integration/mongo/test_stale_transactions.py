import asyncio

import pytest
from structlog.testing import capture_logs

from tests.integration.mongo.conftest import FailCommand
from worker.embedded import EmbeddedMongo
from worker.mongo import stale_transactions
from worker.mongo.client import MongoHandle, Session, open_mongo
from worker.mongo.transactions import run_transaction
from worker.settings import load_settings


async def test_a_transaction_of_a_dead_worker_is_aborted_soon(
    mongo: MongoHandle, replica_set: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_transactions, "_IDLE_LIMIT_US", 100_000)
    await mongo.database["held"].insert_one({"_id": 1, "by": "none"})
    dead = open_mongo(
        load_settings(mongodb_url=replica_set.url, mongodb_database=mongo.database.name, mongodb_driver="pymongo")
    )
    session = dead.client.start_session()
    await session.start_transaction()
    await dead.database["held"].update_one({"_id": 1}, {"$set": {"by": "dead"}}, session=session)

    async def body(session: Session) -> None:
        await mongo.database["held"].update_one({"_id": 1}, {"$set": {"by": "successor"}}, session=session)

    # Without the abort, the server would block writes to the document for a minute.
    deadline = asyncio.get_running_loop().time() + 10
    await run_transaction(mongo, body, deadline=deadline)
    assert (await mongo.database["held"].find_one({"_id": 1}) or {})["by"] == "successor"
    await session.end_session()
    await dead.close()


async def test_an_active_transaction_is_not_aborted(mongo: MongoHandle) -> None:
    await mongo.database["held"].insert_one({"_id": 1, "by": "none"})

    async def body(session: Session) -> None:
        await mongo.database["held"].update_one({"_id": 1}, {"$set": {"by": "living"}}, session=session)
        await mongo.stale_transactions.abort()

    await run_transaction(mongo, body, deadline=asyncio.get_running_loop().time() + 10)
    assert (await mongo.database["held"].find_one({"_id": 1}) or {})["by"] == "living"


async def test_a_server_that_refuses_currentop_is_only_logged(
    mongo: MongoHandle, fail_command: FailCommand
) -> None:
    with capture_logs() as logged:
        async with fail_command(["aggregate"], errorCode=13):
            await mongo.stale_transactions.abort()
    assert [line["action"] for line in logged] == ["stale_transactions_not_aborted"]


async def test_jobs_that_conflict_at_the_same_time_share_one_look(
    mongo: MongoHandle, fail_command: FailCommand
) -> None:
    held = {"blockConnection": True, "blockTimeMS": 500}
    with capture_logs() as logged:
        # Each look that reaches the server is refused, and logged.
        async with fail_command(["aggregate"], mode={"times": 20}, errorCode=13, **held):
            looks = [asyncio.create_task(mongo.stale_transactions.abort()) for _ in range(20)]
            await asyncio.sleep(0)
            looks[0].cancel()
            ends = await asyncio.gather(*looks, return_exceptions=True)
            shared = [line["action"] for line in logged]
            await mongo.stale_transactions.abort()
    assert [type(end) for end in ends] == [asyncio.CancelledError] + [type(None)] * 19
    assert shared == ["stale_transactions_not_aborted"]
    # A conflict later on looks anew.
    assert [line["action"] for line in logged] == ["stale_transactions_not_aborted"] * 2
