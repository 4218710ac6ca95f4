from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from fakeredis import FakeAsyncRedis, FakeServer

from tests.redis_scripts.script_bench import ScriptBench


@pytest_asyncio.fixture
async def redis() -> AsyncIterator[Any]:
    """A simulated Redis in this process, empty for each test."""
    client = FakeAsyncRedis(server=FakeServer(version=(6, 2)))
    yield client
    await client.aclose()


@pytest.fixture
def bench(redis: Any) -> ScriptBench:
    return ScriptBench(redis)
