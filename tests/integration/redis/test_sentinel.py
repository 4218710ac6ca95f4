"""Both clients follow the master that the sentinels name. No sentinel starts a failover here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis, create_pool
from redis.asyncio.connection import BlockingConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.integration.redis.sentinel_servers import MASTER, Replica, Sentinel, sentinel_url
from worker.codec import Codec
from worker.embedded import EmbeddedRedis, ports
from worker.embedded.processes import wait_until
from worker.engine.arq_redis import arq_redis_settings, open_arq_redis
from worker.errors import ConfigurationError, OutageError
from worker.redis.client import sync_twin
from worker.redis.errors import is_not_primary
from worker.redis.startup import check_redis
from worker.settings import load_settings

WRITE = "return redis.call('incr', KEYS[1])"
PASSWORD = "hunter2hunter2"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sentinel() -> AsyncIterator[Sentinel]:
    async with Sentinel() as server:
        yield server


@asynccontextmanager
async def open_redis(url: str, timeout: float = 1) -> AsyncIterator[ArqRedis]:
    redis = open_arq_redis(load_settings(redis_url=url, redis_timeout=timeout), Codec())
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def test_both_clients_connect_to_the_master_and_the_pool_stays_bounded(
    sentinel: Sentinel, own_redis: EmbeddedRedis
) -> None:
    await sentinel.monitor(own_redis.port, quorum=2)
    async with open_redis(sentinel_url(sentinel, options="/3")) as redis:
        assert isinstance(redis.connection_pool, BlockingConnectionPool)
        await redis.set("n", 1)
        assert await process_id(redis) == own_redis.pid
        assert "db3" in await redis.info("keyspace")
        twin = sync_twin(redis)
        try:
            info: Any = await asyncio.to_thread(twin.info, "keyspace")
        finally:
            twin.close()
        assert "db3" in info


async def test_both_clients_switch_from_a_demoted_master_to_its_successor(
    sentinel: Sentinel, own_redis: EmbeddedRedis
) -> None:
    async with Replica(own_redis) as successor:
        await sentinel.monitor(own_redis.port, quorum=2)
        async with open_redis(sentinel_url(sentinel)) as redis:
            write, twin = redis.register_script(WRITE), sync_twin(redis)
            twin_write = twin.register_script(WRITE)
            try:
                assert await write(keys=["n"]) == 1
                assert await asyncio.to_thread(twin_write, keys=["n"]) == 2
                async with open_redis(successor.url) as direct:
                    await wait_until(
                        _has_value(direct, b"2"), seconds=5, failure=lambda: "the replica did not receive the key"
                    )
                    await direct.execute_command("REPLICAOF", "NO", "ONE")
                async with open_redis(own_redis.url) as direct:
                    # A replica ignores SIGTERM while it writes its first append-only file.
                    await direct.config_set("appendonly", "no")
                    await direct.execute_command("REPLICAOF", "127.0.0.1", successor.port)
                await sentinel.monitor(successor.port, quorum=2)

                with pytest.raises(ResponseError, check=is_not_primary):
                    await asyncio.to_thread(twin_write, keys=["n"])
                with pytest.raises(ResponseError, check=is_not_primary):
                    await write(keys=["n"])
                assert await asyncio.to_thread(twin_write, keys=["n"]) == 3
                assert await write(keys=["n"]) == 4
            finally:
                twin.close()


def _has_value(redis: ArqRedis, value: bytes) -> Any:
    async def has_value() -> bool:
        return bool(await redis.get("n") == value)

    return has_value


async def test_idle_connections_to_a_frozen_master_are_dropped_without_waiting(
    sentinel: Sentinel, own_redis: EmbeddedRedis, redis_server: EmbeddedRedis
) -> None:
    await sentinel.monitor(own_redis.port, quorum=2)
    async with open_redis(sentinel_url(sentinel)) as redis:
        await asyncio.gather(*(redis.ping() for _ in range(10)))
        own_redis.freeze()
        await sentinel.monitor(redis_server.port, quorum=2)
        fresh = redis.connection_pool.make_connection()
        await fresh.connect()
        await fresh.disconnect()
        assert await asyncio.gather(*(redis.ping() for _ in range(10))) == [True] * 10
    own_redis.thaw()


async def test_a_sentinel_that_names_a_replica_is_asked_last(sentinel: Sentinel, own_redis: EmbeddedRedis) -> None:
    async with Replica(own_redis) as replica, Sentinel() as stale:
        await sentinel.monitor(own_redis.port, quorum=2)
        await stale.monitor(replica.port, quorum=2)
        async with open_redis(sentinel_url(stale, sentinel)) as redis:
            with pytest.raises(RedisConnectionError, match="is not a master"):
                await redis.ping()
            assert await process_id(redis) == own_redis.pid


async def test_a_frozen_sentinel_delays_only_the_first_connection(
    sentinel: Sentinel, redis_server: EmbeddedRedis
) -> None:
    await sentinel.monitor(redis_server.port, quorum=2)
    async with Sentinel() as frozen, open_redis(sentinel_url(frozen, sentinel), timeout=4) as redis:
        frozen.freeze()
        # A sentinel gets a second at most. The frozen one is asked last after that.
        async with asyncio.timeout(1.9):
            assert await process_id(redis) == redis_server.pid
        async with asyncio.timeout(0.9):
            await asyncio.gather(*(redis.ping() for _ in range(5)))
        frozen.thaw()


async def test_arqs_own_pool_and_its_twin_connect_to_the_master(
    sentinel: Sentinel, redis_server: EmbeddedRedis
) -> None:
    await sentinel.monitor(redis_server.port, quorum=2)
    pool = await create_pool(arq_redis_settings(load_settings(redis_url=sentinel_url(sentinel, options="/2"))))
    twin = sync_twin(pool)
    try:
        assert await process_id(pool) == redis_server.pid
        info: Any = await asyncio.to_thread(twin.client_info)
        assert (info["laddr"], info["db"]) == (f"127.0.0.1:{redis_server.port}", 2)
    finally:
        twin.close()
        await pool.aclose(close_connection_pool=True)
        await asyncio.gather(*(client.aclose() for client in pool.connection_pool.sentinel_manager.sentinels))


async def test_sentinels_can_have_their_own_password() -> None:
    async with EmbeddedRedis(password="right1234") as master, Sentinel(password=PASSWORD) as sentinel:
        await sentinel.monitor(master.port, quorum=2)
        url = sentinel_url(sentinel).replace("//", "//:right1234@")
        async with open_redis(f"{url}?sentinel_password={PASSWORD}") as redis:
            assert await process_id(redis) == master.pid
        message = await startup_error(url, OutageError)
    assert "AuthenticationError" in message


async def test_a_wrong_master_name_is_a_configuration_error(
    sentinel: Sentinel, redis_server: EmbeddedRedis
) -> None:
    await sentinel.monitor(redis_server.port, quorum=2)
    url = sentinel_url(sentinel, master="elsewhere").replace("//", f"//:{PASSWORD}@")

    message = await startup_error(url, ConfigurationError)
    assert message == (
        f"REDIS_URL: no sentinel names a working master 'elsewhere' (127.0.0.1:{sentinel.port} does not know it)"
    )


async def test_unavailable_sentinels_are_an_outage() -> None:
    port = ports.choose_port()

    message = await startup_error(f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port}/{MASTER}", OutageError)
    assert f"127.0.0.1:{port} ConnectionError" in message


async def process_id(redis: ArqRedis) -> int:
    return int((await redis.info("server"))["process_id"])


async def startup_error(url: str, kind: type[Exception]) -> str:
    """Return the message of the error that `check_redis` raises: one line without secrets."""
    async with open_redis(url) as redis:
        with pytest.raises(kind, match=r"\AREDIS_URL: [^\n]+\Z") as caught:
            await check_redis(redis, load_settings(redis_url=url))
    assert PASSWORD not in str(caught.value)
    assert "right1234" not in str(caught.value)
    return str(caught.value)
