import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.security.fleet import RULES, Fleet
from tests.security.guarded_mongo import DATABASE, GuardedMongo, guarded_mongo
from tests.security.scanner import CANARY
from tests.security.stand import Stand
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.jobs import JOB_FUNCTIONS
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema
from worker.mongo.startup import check_mongo
from worker.settings import load_settings

RunJob = Callable[[str, dict[str, Any]], Awaitable[Any]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedMongo]:
    async with guarded_mongo(tmp_path_factory.mktemp("guarded")) as server:
        yield server


@pytest_asyncio.fixture
async def mongo(guarded: GuardedMongo) -> AsyncIterator[MongoHandle]:
    """The worker's client, after a worker's start-up checks, logged in as the worker's user of docs/security.md."""
    settings = load_settings(mongodb_url=guarded.url, mongodb_database=DATABASE)
    mongo = open_mongo(settings)
    await check_mongo(mongo, settings)
    await ensure_schema(mongo)
    yield mongo
    await mongo.close()


@pytest_asyncio.fixture
async def stand(mongo: MongoHandle) -> AsyncIterator[Stand]:
    await mongo.hospitals.delete_many({})
    async with EmbeddedRedis() as redis:
        stand = Stand(redis.url, mongo)
        yield stand
        await stand.redis.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with EmbeddedRedis() as server:
        admin = open_arq_redis(load_settings(redis_url=server.url), Codec())
        for name, rules in RULES.items():
            await admin.execute_command("ACL", "SETUSER", name, "on", f">{CANARY}", *rules)
        await admin.config_resetstat()
        yield Fleet(server, admin)
        await admin.aclose(close_connection_pool=True)


@pytest.fixture
def run_job(mongo: MongoHandle) -> RunJob:
    """Run a job under a new id, as the worker does."""
    context = WorkerContext(load_settings(), mongo, Registrations(mongo))
    functions = {function.__name__: function for function in JOB_FUNCTIONS}

    async def run(name: str, payload: dict[str, Any]) -> Any:
        # Other tests use the same database: under an id of theirs it would be a job that was delivered again.
        return await functions[name]({CONTEXT_KEY: context, "job_id": f"{name}:{uuid.uuid4().hex}"}, payload)

    return run
