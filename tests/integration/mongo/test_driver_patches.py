import asyncio
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from worker.embedded import EmbeddedMongo
from worker.mongo.client import Session
from worker.mongo.transactions import run_transaction


async def test_a_connection_opened_during_a_step_down_can_run_transactions_afterwards(
    open_handle: Any, replica_set: EmbeddedMongo
) -> None:
    (member,) = replica_set.members
    async with open_handle(f"{replica_set.url}&directConnection=true") as (mongo, _):

        async def body(session: Session) -> None:
            await mongo.logs.insert_one({"_id": "entry"}, session=session)

        stepping_down = asyncio.create_task(member.command("replSetStepDown", 2, secondaryCatchUpPeriodSecs=1))
        hello = await member.hello()
        while hello is None or hello["isWritablePrimary"]:
            hello = await member.hello()
        await mongo.client.admin.command("ping")
        assert not stepping_down.done()
        with pytest.raises(OperationFailure, match="No electable secondaries"):
            await stepping_down
        created = mongo.pool.created
        await run_transaction(mongo, body, deadline=asyncio.get_running_loop().time() + 5)
        assert mongo.pool.created == created
        assert await mongo.logs.count_documents({}) == 1
