import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from worker.embedded import EmbeddedMongo
from worker.embedded.ports import choose_port
from worker.errors import ConfigurationError
from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.startup import check_mongo
from worker.settings import load_settings

SECRET = "secret-of-the-url"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def standalone() -> AsyncIterator[EmbeddedMongo]:
    async with EmbeddedMongo(standalone=True) as server:
        yield server


def assert_one_clear_line(error: ConfigurationError) -> None:
    assert "\n" not in str(error)
    assert SECRET not in str(error)
    assert str(error).startswith("MONGODB_URL: ")
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


async def test_a_replica_set_is_accepted_and_its_version_returned(
    open_handle: Any, replica_set: EmbeddedMongo, three_members: EmbeddedMongo
) -> None:
    for server in (replica_set, three_members):
        async with open_handle(server.url) as (mongo, settings):
            assert (await check_mongo(mongo, settings)).startswith("6.0.")


@pytest.mark.parametrize("query", ["", "?replicaSet=rs0", "?directConnection=true"])
async def test_a_standalone_server_is_refused_with_instructions_for_a_replica_set(
    open_handle: Any, standalone: EmbeddedMongo, query: str
) -> None:
    url = f"{standalone.url}{query}"
    async with open_handle(url, mongodb_selection_timeout=0.5) as (mongo, settings):
        with pytest.raises(ConfigurationError, match=r"standalone.*--replSet rs0.*rs\.initiate") as refused:
            await check_mongo(mongo, settings)
    assert f"127.0.0.1:{standalone.port}" in str(refused.value)
    assert_one_clear_line(refused.value)


# PyMongo's asynchronous client leaves the socket of an interrupted connection attempt to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
async def test_the_error_names_host_and_port_of_an_unreachable_server(open_handle: Any) -> None:
    port = choose_port()
    url = f"mongodb://user:{SECRET}@127.0.0.1:{port}/?replicaSet=rs0"
    async with open_handle(url, mongodb_selection_timeout=0.3) as (mongo, settings):
        with pytest.raises(ConfigurationError, match=f"no server answers at 127.0.0.1:{port}") as refused:
            await check_mongo(mongo, settings)
    assert_one_clear_line(refused.value)
    gc.collect()


async def test_a_refused_password_is_reported(open_handle: Any, replica_set: EmbeddedMongo) -> None:
    url = replica_set.url.replace("mongodb://", f"mongodb://unknown:{SECRET}@")
    async with open_handle(url) as (mongo, settings):
        with pytest.raises(ConfigurationError, match="refused the user or password") as refused:
            await check_mongo(mongo, settings)
    assert_one_clear_line(refused.value)


async def test_a_wrong_replica_set_name_is_reported(open_handle: Any, replica_set: EmbeddedMongo) -> None:
    url = f"mongodb://127.0.0.1:{replica_set.port}/?replicaSet=other"
    async with open_handle(url, mongodb_selection_timeout=0.5) as (mongo, settings):
        with pytest.raises(
            ConfigurationError, match=r"replicaSet is other, but .* belongs to replica set registry"
        ) as refused:
            await check_mongo(mongo, settings)
    assert_one_clear_line(refused.value)


async def test_an_old_server_is_refused(
    mongo: MongoHandle, replica_set: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.mongo.startup.OLDEST_SERVER", (99, 0))
    settings = load_settings(mongodb_url=replica_set.url)
    with pytest.raises(ConfigurationError, match=r"runs MongoDB 6\.0\.\d+; 99\.0 or newer") as refused:
        await check_mongo(mongo, settings)
    assert_one_clear_line(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://user:{SECRET}@host:port/",
        f"mongodb://user:{SECRET}/x@host/",
        f"mongodb://user:{SECRET}@host/?maxPoolSize={SECRET}",
        "mongodb://",
    ],
)
async def test_a_malformed_url_is_refused_and_not_quoted(driver: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match="not a usable MongoDB URL") as refused:
        open_mongo(load_settings(mongodb_url=url, mongodb_driver=driver))
    assert_one_clear_line(refused.value)


async def test_a_slow_command_ends_at_its_timeout(
    open_handle: Any, replica_set: EmbeddedMongo, fail_command: Any
) -> None:
    async with (
        open_handle(replica_set.url, mongodb_timeout=0.3) as (mongo, settings),
        fail_command(["find"], mode={"times": 2}, blockConnection=True, blockTimeMS=900),
    ):
        started = asyncio.get_running_loop().time()
        with pytest.raises(ConfigurationError, match="lost the connection"):
            await check_mongo(mongo, settings)
        assert asyncio.get_running_loop().time() - started < 3
