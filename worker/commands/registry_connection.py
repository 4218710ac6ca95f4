"""The connection to MongoDB of a subcommand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.startup import check_mongo
from worker.settings import load_settings


@asynccontextmanager
async def registry_connection() -> AsyncIterator[MongoHandle]:
    """Yield a checked connection to the registry. Raises `ConfigurationError`."""
    settings = load_settings()
    mongo = open_mongo(settings)
    try:
        await check_mongo(mongo, settings)
        yield mongo
    finally:
        await mongo.close()
