from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis

from tests.redis_scripts.script_bench import ScriptBench
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.queue import keys
from worker.settings import load_settings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_server() -> AsyncIterator[EmbeddedRedis]:
    """One Redis for all tests that do not damage it. Each test has its own queues."""
    async with EmbeddedRedis() as server:
        yield server


@pytest_asyncio.fixture
async def own_redis() -> AsyncIterator[EmbeddedRedis]:
    """A Redis for one test, which may kill, freeze, fill or demote it."""
    # With "everysec" a kill can lose the last second of acknowledged writes; these tests do not check that.
    async with EmbeddedRedis(appendfsync="always") as server:
        yield server


@pytest_asyncio.fixture
async def redis(redis_server: EmbeddedRedis) -> AsyncIterator[ArqRedis]:
    client = open_arq_redis(load_settings(redis_url=redis_server.url), Codec())
    # An outage that an earlier test caused must not delay this test's claims of expired leases.
    await client.delete(keys.CLOCK)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def script_bench(redis: Any) -> ScriptBench:
    return ScriptBench(redis)
