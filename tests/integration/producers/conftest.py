from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.settings import Settings, load_settings


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
