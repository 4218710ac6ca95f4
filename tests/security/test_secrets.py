"""No representation, table, message or traceback contains a password or a key."""

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from producers import cli as producer_cli
from producers.queue import QueueClient
from tests.security.guarded_mongo import GuardedMongo
from tests.security.scanner import CANARY, find_leaks
from worker import cli as worker_cli
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.embedded.ports import choose_port
from worker.engine.arq_redis import arq_redis_settings, open_arq_redis
from worker.errors import ConfigurationError, OutageError, RegistryError
from worker.mongo.client import open_mongo
from worker.mongo.startup import check_mongo
from worker.redis.client import sync_twin
from worker.redis.startup import check_redis
from worker.settings import Settings, load_settings

SECRETS = {
    "REDIS_URL": f"redis://user:{CANARY}@127.0.0.1:1/0",
    "MONGODB_URL": f"mongodb://user:{CANARY}@127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=100",
    "QUEUE_SIGNING_KEYS": f"k1:{CANARY}-one,k2:{CANARY}-two",
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return load_settings()


async def test_no_object_that_contains_a_secret_shows_it(settings: Settings) -> None:
    codec = Codec(settings.signing_secrets())
    redis = open_arq_redis(settings, codec)
    twin = sync_twin(redis)
    mongo = open_mongo(settings)
    holders: list[Any] = [
        *(settings, codec, redis, redis.connection_pool, twin, twin.connection_pool, arq_redis_settings(settings)),
        *(redis.connection_pool.connection_class(**redis.connection_pool.connection_kwargs),),
        *(mongo, mongo.client, mongo.hospitals, QueueClient(settings, 1)),
    ]
    for holder in holders:
        assert not find_leaks(f"{holder!r} {holder}", "x"), type(holder)
    await mongo.close()


def test_the_table_of_settings_shows_defaults_and_not_the_environment(settings: Settings) -> None:
    shown = CliRunner().invoke(worker_cli.app, ["settings"])
    assert shown.exit_code == 0
    assert "QUEUE_SIGNING_KEYS" in shown.output
    assert CANARY not in shown.output


@pytest.mark.parametrize("app", [worker_cli.app, producer_cli.app], ids=["worker", "producer"])
def test_the_command_lines_print_no_local_variables(app: Any) -> None:
    # Rich's tracebacks can show them, a URL among them; Python's own do not.
    assert not app.pretty_exceptions_enable


@pytest.mark.parametrize("name", SECRETS)
def test_an_invalid_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"!{CANARY}://{CANARY}:{CANARY}")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert_no_secret(refused.value)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_an_unreachable_redis(scheme: str) -> None:
    settings = load_settings(redis_url=f"{scheme}://user:{CANARY}@127.0.0.1:{choose_port()}/0")
    assert_no_secret(await _failure(OutageError, lambda: _check_redis(settings)))


async def test_a_redis_that_refuses_the_password() -> None:
    async with EmbeddedRedis(password="another1") as server:
        url = server.url.replace("another1", CANARY)
        assert_no_secret(await _failure(RegistryError, lambda: _check_redis(load_settings(redis_url=url))))


async def test_a_mongodb_that_refuses_the_password(guarded: GuardedMongo) -> None:
    url = guarded.url.replace(f":{CANARY}@", f":wrong{CANARY}@")
    error = await _failure(ConfigurationError, lambda: _check_mongo(load_settings(mongodb_url=url)))
    assert "refused the user or password" in str(error)
    assert_no_secret(error)


async def _failure(kind: type[RegistryError], call: Callable[[], Awaitable[None]]) -> RegistryError:
    with pytest.raises(kind) as raised:
        await call()
    return raised.value


async def _check_redis(settings: Settings) -> None:
    redis = open_arq_redis(settings, Codec())
    try:
        await check_redis(redis, settings)
    finally:
        await redis.aclose(close_connection_pool=True)


async def _check_mongo(settings: Settings) -> None:
    mongo = open_mongo(settings)
    try:
        await check_mongo(mongo, settings)
    finally:
        await mongo.close()


def assert_no_secret(error: BaseException) -> None:
    """Check that neither the error nor its traceback, including chained errors, contains a secret."""
    assert not find_leaks("".join(traceback.format_exception(error)), "x")
    assert not find_leaks(repr(error), "x")
