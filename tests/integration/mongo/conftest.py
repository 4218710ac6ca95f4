import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, Protocol

import pytest
import pytest_asyncio
from pymongo import monitoring

from tests.integration.mongo.clean_databases import CleanDatabases
from worker.embedded import EmbeddedMongo, MongoMember
from worker.jobs import JOB_FUNCTIONS
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema
from worker.settings import Settings, load_settings

Driver = Literal["motor", "pymongo"]
Open = Callable[..., AbstractAsyncContextManager[tuple[MongoHandle, Settings]]]
RunJob = Callable[..., Awaitable[Any]]
WritesBlocked = Callable[[], AbstractAsyncContextManager[None]]

_databases = itertools.count(1)


class FailCommand(Protocol):
    """Makes commands of this service fail at the server within a block.

    Yields what waits until the server has received the first of them.
    """

    def __call__(
        self, commands: list[str], *, mode: Mapping[str, int] | str = ..., **data: object
    ) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]: ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def replica_set() -> AsyncIterator[EmbeddedMongo]:
    # The first client of a process determines how many threads Motor has, and some tests need a small pool.
    await open_mongo(load_settings(mongodb_driver="motor")).close()
    async with EmbeddedMongo(test_commands=True) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def three_members() -> AsyncIterator[EmbeddedMongo]:
    async with EmbeddedMongo(members=3, test_commands=True) as server:
        yield server


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> Driver:
    name: Driver = request.param
    return name


@pytest.fixture
def open_handle(driver: Driver) -> Open:
    @asynccontextmanager
    async def opened(
        url: str, listeners: Sequence[monitoring.CommandListener] = (), **settings: Any
    ) -> AsyncIterator[tuple[MongoHandle, Settings]]:
        values = {
            "mongodb_url": url,
            "mongodb_driver": driver,
            "mongodb_database": f"registry_{next(_databases)}",
        }
        loaded = load_settings(**(values | settings))
        mongo = open_mongo(loaded, listeners)
        try:
            yield mongo, loaded
        finally:
            await mongo.close()

    return opened


@pytest.fixture(scope="session")
def clean_databases(replica_set: EmbeddedMongo) -> Iterator[CleanDatabases]:
    with CleanDatabases(replica_set.url) as databases:
        yield databases


@pytest_asyncio.fixture
async def mongo(
    open_handle: Open, replica_set: EmbeddedMongo, clean_databases: CleanDatabases
) -> AsyncIterator[MongoHandle]:
    """An empty database with the schema, on the one-member replica set."""
    name, has_schema = clean_databases.take()
    async with open_handle(replica_set.url, mongodb_database=name) as (handle, _):
        if not has_schema:
            await ensure_schema(handle)
            clean_databases.note_schema(name)
        yield handle
    clean_databases.give_back(name)


@pytest.fixture
def run_job(mongo: MongoHandle) -> RunJob:
    """Runs a job by name, as the worker does; the job id defaults to the name."""
    context = WorkerContext(load_settings(), mongo, Registrations(mongo))
    functions = {function.__name__: function for function in JOB_FUNCTIONS}

    async def run(name: str, payload: dict[str, Any], job_id: str | None = None) -> Any:
        return await functions[name]({CONTEXT_KEY: context, "job_id": job_id or name}, payload)

    return run


@pytest.fixture
def fail_command(replica_set: EmbeddedMongo) -> FailCommand:
    return failing(replica_set.members[0])


def failing(member: MongoMember) -> FailCommand:
    @asynccontextmanager
    async def fail(
        commands: list[str], *, mode: Mapping[str, int] | str = "alwaysOn", **data: object
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        content = {"failCommands": commands, "appName": "hospital-registry-worker", **data}
        before = await member.command("configureFailPoint", "failCommand", mode=mode, data=content)

        async def until_received() -> None:
            times = before["count"] + 1
            await member.command("waitForFailPoint", "failCommand", timesEntered=times, maxTimeMS=9_000)

        try:
            yield until_received
        finally:
            await member.command("configureFailPoint", "failCommand", mode="off")

    return fail


@pytest.fixture
def writes_blocked(replica_set: EmbeddedMongo) -> WritesBlocked:
    """Lets MongoDB take no writes within a block, as while its provider makes room on its disk."""

    @asynccontextmanager
    async def blocked() -> AsyncIterator[None]:
        member = replica_set.members[0]
        await member.command("setUserWriteBlockMode", 1, **{"global": True})
        try:
            yield
        finally:
            await member.command("setUserWriteBlockMode", 1, **{"global": False})

    return blocked


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    def make(**fields: Any) -> dict[str, Any]:
        return {"hospital_name": "Mercy", "source": "cms", "external_id": "1", **fields}

    return make
