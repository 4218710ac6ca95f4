"""What all requests share: one producer, one MongoDB client, and what counts and bounds them."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request
from redis.asyncio import Redis

from producers.client import HospitalProducer
from producers.gateway.grouped_queue import GroupedQueue
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.outage_log import OutageLog
from producers.gateway.streams import Streams
from producers.gateway.uploads import Uploads
from worker.codec import Codec
from worker.mongo.client import Document, MongoHandle, open_mongo
from worker.monitoring.answering import answered_by_mongo, answered_by_redis
from worker.redis.client import open_redis
from worker.settings import Settings

T = TypeVar("T")

# A client can repeat its request; a producer in a program waits longer.
_PATIENCE_S = 3.0
_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """One for each application. `redis` is for what the producer has no method for."""

    settings: Settings
    producer: HospitalProducer
    redis: "Redis[bytes]"
    mongo: MongoHandle
    codec: Codec
    metrics: GatewayMetrics
    streams: Streams
    uploads: Uploads
    outages: OutageLog

    async def read(self, call: Awaitable[T], seconds: float = _ANSWER_S) -> T:
        """Return the result of a call to Redis. Raises `OutageError` if Redis does not answer in time."""
        return await answered_by_redis(self.settings, call, seconds)

    async def read_mongo(self, call: Awaitable[T], seconds: float = _ANSWER_S) -> T:
        """Return the result of a call to MongoDB. Raises `OutageError` if MongoDB does not answer in time."""
        return await answered_by_mongo(call, seconds)

    async def all_of(self, documents: AsyncGenerator[Document, None]) -> list[Document]:
        """Return documents that MongoDB sends. Raises `OutageError` if it does not do so in time."""

        async def read() -> list[Document]:
            async with aclosing(documents):
                return [document async for document in documents]

        return await self.read_mongo(read())


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Yield the services, and close them in the end. Nothing is sent before a request needs it.

    Raises `ConfigurationError` for a URL that cannot be used.
    """
    metrics = GatewayMetrics()
    redis = open_redis(settings)
    try:
        mongo = open_mongo(settings)
        try:
            queue = GroupedQueue(settings, _PATIENCE_S, lazy=True, patience_when_full=0)
            async with HospitalProducer(queue) as producer:
                uploads = Uploads(settings, metrics)
                try:
                    yield Services(
                        settings=settings,
                        producer=producer,
                        redis=redis,
                        mongo=mongo,
                        codec=Codec(settings.signing_secrets()),
                        metrics=metrics,
                        streams=Streams(metrics),
                        uploads=uploads,
                        outages=OutageLog(),
                    )
                finally:
                    await uploads.close()
        finally:
            await mongo.close()
    finally:
        await redis.aclose(close_connection_pool=True)


async def services_of(request: Request) -> Services:
    """Return what all requests share."""
    return cast(Services, request.app.state.services)


SharedServices = Annotated[Services, Depends(services_of)]
