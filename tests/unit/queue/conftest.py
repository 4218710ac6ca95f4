from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from fakeredis import FakeAsyncRedis, FakeServer

from tests.contracts.queue_bench import QueueBench


@pytest_asyncio.fixture
async def redis() -> AsyncIterator[Any]:
    """A Redis inside this process, empty for each test."""
    client = FakeAsyncRedis(server=FakeServer())
    yield client
    await client.aclose()


@pytest.fixture
def bench(redis: Any) -> QueueBench:
    return QueueBench(redis)
