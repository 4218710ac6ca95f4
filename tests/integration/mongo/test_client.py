import asyncio
from typing import Any

import pytest

from worker.embedded import EmbeddedMongo
from worker.errors import OutageError
from worker.mongo.client import MongoHandle
from worker.mongo.errors import translated


async def test_client_options_override_those_of_the_url(open_handle: Any, replica_set: EmbeddedMongo) -> None:
    url = f"{replica_set.url}&w=1&journal=false&retryWrites=false&readPreference=secondary&maxPoolSize=7"
    async with open_handle(url, mongodb_pool_size=9) as (mongo, _):
        assert mongo.hospitals.write_concern.document == {"w": "majority", "j": True}
        assert mongo.hospitals.read_preference.mongos_mode == "primary"
        options = mongo.client.options
        assert options.retry_writes
        assert options.retry_reads
        assert options.pool_options.max_pool_size == 9
        assert options.pool_options.appname == "hospital-registry-worker"


async def test_pool_events_are_counted(mongo: MongoHandle) -> None:
    created = mongo.pool.created
    assert mongo.pool.checked_out == 0
    await asyncio.gather(*(mongo.hospitals.find_one({"_id": str(n)}) for n in range(50)))
    assert mongo.pool.highest > 1
    assert mongo.pool.created >= max(created, mongo.pool.highest)
    assert mongo.pool.checked_out == 0


async def test_motor_has_a_thread_for_each_pooled_connection(
    open_handle: Any, replica_set: EmbeddedMongo, fail_command: Any
) -> None:
    """Forty slow commands run at the same time with either driver: the pool is the only limit."""
    async with open_handle(replica_set.url) as (mongo, _):
        async with fail_command(["find"], mode="alwaysOn", blockConnection=True, blockTimeMS=6_000):
            finds = asyncio.gather(*(mongo.hospitals.find_one({"_id": str(n)}) for n in range(40)))
            # No command ends within six seconds, so all connections checked out by then are in use together.
            async with asyncio.timeout(5.9):
                while mongo.pool.checked_out < 40:
                    await asyncio.sleep(0.01)
            await finds
        assert mongo.pool.highest == 40


async def test_waiting_too_long_for_a_connection_is_an_outage(
    open_handle: Any, replica_set: EmbeddedMongo, fail_command: Any
) -> None:
    settings = {"mongodb_pool_size": 1, "mongodb_selection_timeout": 1.5}
    async with (
        open_handle(replica_set.url, **settings) as (mongo, _),
        fail_command(["find"], mode={"times": 1}, blockConnection=True, blockTimeMS=5_000),
    ):
        slow = asyncio.ensure_future(mongo.hospitals.find_one({"_id": "slow"}))
        while mongo.pool.checked_out == 0:
            assert not slow.done()
            await asyncio.sleep(0.01)
        with pytest.raises(OutageError, match="MONGODB_POOL_SIZE"), translated():
            await mongo.hospitals.find_one({"_id": "waits"})
        await slow
