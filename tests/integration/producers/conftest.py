import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from tests.support.waiting import until
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.settings import Settings, load_settings


async def a_later_call() -> None:
    """Wait until an envelope that is made has other bytes than one that was made before: it contains the time.

    One of the same bytes is an attempt of the same call, and counts as new.
    """
    made_ms = time.time_ns() // 1_000_000
    await until(lambda: time.time_ns() // 1_000_000 > made_ms)


@pytest.fixture
def settings(own_redis: EmbeddedRedis) -> Settings:
    return load_settings(redis_url=own_redis.url, redis_timeout=1)


@pytest_asyncio.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    client = open_arq_redis(settings, Codec())
    yield client
    await client.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def producer(settings: Settings) -> AsyncIterator[HospitalProducer]:
    async with HospitalProducer.connect(settings, patience=15) as producer:
        yield producer
