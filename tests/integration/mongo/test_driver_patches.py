import asyncio
import gc
import types
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from tests.integration.mongo.conftest import FailCommand
from worker.embedded import EmbeddedMongo
from worker.errors import OutageError
from worker.mongo.client import MongoHandle, Session
from worker.mongo.errors import translated
from worker.mongo.transactions import run_transaction


async def test_a_connection_opened_during_a_step_down_can_run_transactions_afterwards(
    open_handle: Any, replica_set: EmbeddedMongo
) -> None:
    (member,) = replica_set.members
    async with open_handle(f"{replica_set.url}&directConnection=true") as (mongo, _):

        async def body(session: Session) -> None:
            await mongo.logs.insert_one({"_id": "entry"}, session=session)

        stepping_down = asyncio.create_task(member.command("replSetStepDown", 6, secondaryCatchUpPeriodSecs=4))
        hello = await member.hello()
        while hello is None or hello["isWritablePrimary"]:
            assert not stepping_down.done()
            hello = await member.hello()
        await mongo.client.admin.command("ping")
        assert not stepping_down.done()
        with pytest.raises(OperationFailure, match="No electable secondaries"):
            await stepping_down
        created = mongo.pool.created
        await run_transaction(mongo, body, deadline=asyncio.get_running_loop().time() + 20)
        assert mongo.pool.created == created
        assert await mongo.logs.count_documents({}) == 1


async def test_a_command_that_failed_twice_leaves_nothing_for_the_garbage_collector(
    mongo: MongoHandle, fail_command: FailCommand
) -> None:
    gc.collect()
    gc.disable()
    try:
        async with fail_command(["findAndModify"], mode={"times": 2}, closeConnection=True):
            with pytest.raises(OutageError), translated():
                await mongo.hospitals.find_one_and_update({"_id": "a"}, {"$set": {"beds": 1}})
        # A server that is unknown refers to its last error.
        await mongo.client.admin.command("ping")
        kept = [found for found in gc.get_objects() if type(found) is types.TracebackType and is_commands(found)]
    finally:
        gc.enable()
    assert kept == []


def is_commands(traceback: types.TracebackType) -> bool:
    return traceback.tb_frame.f_code.co_qualname.startswith("_ClientConnectionRetryable.")
