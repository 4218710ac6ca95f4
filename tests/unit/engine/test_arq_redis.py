import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings
from fakeredis import FakeServer
from redis.asyncio.connection import BlockingConnectionPool, ConnectionPool

from tests.unit.engine.conftest import open_client
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.engine import arq_redis
from worker.engine.arq_redis import (
    PrivateRedisSettings,
    adopt,
    arq_redis_settings,
    create_bounded_pool,
    open_arq_redis,
)
from worker.errors import ConfigurationError
from worker.redis.client import DEFAULT_TIMEOUT_S
from worker.redis.packing import PackingConnection, PackingSSLConnection, PackingUnixConnection
from worker.redis.primary import PrimaryBlockingPool, PrimaryPool
from worker.redis.sentinel import SentinelConnection
from worker.settings import Settings, load_settings


def settings_for(url: str, **values: Any) -> Settings:
    return load_settings(redis_url=url, **values)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (PrivateRedisSettings(host="h", port=1, database=2, password="s3cret"), "RedisSettings(h:1, database=2)"),
        (
            PrivateRedisSettings(unix_socket_path="/run/redis.sock", username="user", password="s3cret"),
            "RedisSettings(/run/redis.sock, database=0)",
        ),
        (
            PrivateRedisSettings(host=[("one", 1), ("two", 2)], sentinel=True, password="s3cret"),
            "RedisSettings([('one', 1), ('two', 2)], database=0)",
        ),
    ],
    ids=["tcp", "unix", "sentinel"],
)
def test_settings_are_shown_without_the_password(settings: RedisSettings, shown: str) -> None:
    assert repr(settings) == str(settings) == shown


def test_arq_connects_where_this_service_does() -> None:
    found = arq_redis_settings(settings_for("redis://user:p%40ss@h:1/3", redis_timeout=3))

    assert isinstance(found, PrivateRedisSettings)
    assert (found.host, found.port, found.database, found.unix_socket_path) == ("h", 1, 3, None)
    assert (found.username, found.password, found.conn_timeout) == ("user", "p@ss", 3)
    assert (found.ssl, found.ssl_check_hostname, found.sentinel, found.sentinel_master) == (False, False, False, "")


def test_arq_verifies_tls_by_the_options_of_the_url() -> None:
    found = arq_redis_settings(settings_for("rediss://h:1?ssl_ca_certs=/ca.pem&ssl_check_hostname=false"))
    assert (found.ssl, found.ssl_ca_certs, found.ssl_check_hostname) == (True, "/ca.pem", False)

    assert arq_redis_settings(settings_for("rediss://h:1")).ssl_check_hostname


def test_arq_asks_the_same_sentinels() -> None:
    found = arq_redis_settings(settings_for("redis+sentinel://one:1,two:2/main/4"))

    assert (found.sentinel, found.sentinel_master, found.database) == (True, "main", 4)
    assert found.host == [("one", 1), ("two", 2)]


def test_a_timeout_below_a_second_is_a_second_for_arq() -> None:
    # arq's setting is in whole seconds, and 0 would be no time at all.
    assert arq_redis_settings(settings_for("redis://h:1", redis_timeout=0.5)).conn_timeout == 1


async def test_arqs_client_uses_a_pool_of_ours_and_the_codec() -> None:
    codec = Codec()
    client = open_arq_redis(settings_for("redis://h:1", redis_pool_size=3, redis_timeout=3), codec)

    assert (client.job_serializer, client.job_deserializer) == (codec.encode, codec.decode)
    assert client.default_queue_name == DEFAULT_QUEUE
    assert client.connection_pool.max_connections == 3
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 3


def test_a_url_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        open_arq_redis(settings_for("redis://h:1?colour=blue"), Codec())


class Opened:
    """What arq's `create_pool` was asked for, and the client that it returned, connected as arq's is."""

    def __init__(self, client: ArqRedis) -> None:
        self.client = client
        self.arguments: list[Any] = []
        self.connections: list[Any] = []

    async def create_pool(self, settings: RedisSettings | None, **options: Any) -> ArqRedis:
        self.arguments = [settings, options]
        await self.client.ping()
        self.connections = list(self.client.connection_pool._available_connections)
        return self.client


@pytest.fixture
async def opened(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened(open_client(server))
    monkeypatch.setattr(arq_redis, "create_pool", opened.create_pool)
    return opened


async def test_arqs_own_pool_gets_a_timeout_for_answers(opened: Opened) -> None:
    pool = opened.client.connection_pool
    settings = RedisSettings(host="h")
    found = await create_bounded_pool(settings, default_queue_name="queue")

    assert found is opened.client
    assert opened.arguments == [settings, {"default_queue_name": "queue"}]
    assert pool.connection_kwargs["socket_timeout"] == DEFAULT_TIMEOUT_S
    # The connection that arq made knows no timeout; the next one does.
    assert [connection.is_connected for connection in opened.connections] == [False]
    assert await found.ping()
    assert [connection.socket_timeout for connection in pool._available_connections] == [DEFAULT_TIMEOUT_S]
    await found.aclose(close_connection_pool=True)


async def test_a_timeout_that_is_set_is_kept(opened: Opened) -> None:
    pool = opened.client.connection_pool
    pool.connection_kwargs["socket_timeout"] = 0.5
    found = await create_bounded_pool(None)

    assert pool.connection_kwargs["socket_timeout"] == 0.5
    assert len(pool._available_connections) == 1
    await found.aclose(close_connection_pool=True)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (RedisSettings(host="h", port=1, max_connections=7), PackingConnection),
        (RedisSettings(host="h", port=1, max_connections=7, ssl=True), PackingSSLConnection),
        (RedisSettings(unix_socket_path="/s", max_connections=7), PackingUnixConnection),
    ],
    ids=["tcp", "tls", "unix"],
)
async def test_arqs_own_pool_follows_the_primary(
    settings: RedisSettings, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArqRedis, "ping", lambda redis: asyncio.sleep(0))
    pool = (await create_bounded_pool(settings)).connection_pool

    assert isinstance(pool, PrimaryPool)
    assert (pool.connection_class, pool.max_connections) == (kind, 7)
    assert (pool.connection_kwargs["socket_timeout"], pool.connection_kwargs["db"]) == (DEFAULT_TIMEOUT_S, 0)


async def test_arqs_sentinel_pool_becomes_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ArqRedis, "ping", lambda redis: asyncio.sleep(0))
    settings = RedisSettings(host=[("one", 1)], sentinel=True, sentinel_master="main", database=2)
    pool = (await create_bounded_pool(settings)).connection_pool

    assert (type(pool), pool.connection_class) == (PrimaryPool, SentinelConnection)
    assert pool.connection_kwargs["db"] == 2
    assert "connection_pool" not in pool.connection_kwargs


@pytest.mark.parametrize(
    ("pool", "kind"),
    [
        (ConnectionPool(host="h", max_connections=7), PrimaryPool),
        (BlockingConnectionPool(host="h", max_connections=7, timeout=3), PrimaryBlockingPool),
    ],
    ids=["failing when full", "waiting when full"],
)
async def test_a_pool_of_the_workers_user_follows_the_primary(pool: ConnectionPool, kind: type) -> None:
    redis = ArqRedis(pool)
    assert await adopt(redis) is pool

    found = redis.connection_pool
    assert (type(found), found.connection_class, found.max_connections) == (kind, PackingConnection, 7)
    assert found.connection_kwargs["socket_timeout"] == DEFAULT_TIMEOUT_S
    assert getattr(found, "timeout", None) == getattr(pool, "timeout", None)
    assert await adopt(redis) is None
    assert redis.connection_pool is found


async def test_a_pool_of_another_kind_than_redis_pys_is_kept(server: FakeServer) -> None:
    class Own(ConnectionPool):  # type: ignore[misc]  # mypy does not follow redis
        """A pool that does more than redis-py's."""

    for pool in (Own(host="h"), open_client(server).connection_pool):
        redis = ArqRedis(pool)
        assert await adopt(redis) is None
        assert redis.connection_pool is pool
