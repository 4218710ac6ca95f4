"""Real TLS connections: from the pool, from its blocking twin, from arq's own client, and to sentinels."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis, create_pool
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.integration.redis.sentinel_servers import MASTER, Sentinel
from tests.integration.redis.tls_proxy import Authority, tls_proxy
from tests.support.waiting import until
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import arq_redis_settings, open_arq_redis
from worker.errors import ConfigurationError, RegistryError
from worker.redis.client import sync_twin
from worker.redis.startup import check_redis
from worker.settings import load_settings

PASSWORD = "hunter2hunter2"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest_asyncio.fixture
async def tls_port(redis_server: EmbeddedRedis, authority: Authority) -> AsyncIterator[int]:
    async with tls_proxy(authority, redis_server.port) as port:
        yield port


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[ArqRedis]:
    redis = open_arq_redis(load_settings(redis_url=url, redis_timeout=2), Codec())
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def test_all_three_clients_speak_tls(
    tls_port: int, redis_server: EmbeddedRedis, authority: Authority
) -> None:
    url = f"rediss://localhost:{tls_port}/0?ssl_ca_certs={authority.certificate}"
    async with open_redis(url) as redis:
        assert await check_redis(redis, load_settings(redis_url=url)) == []
        assert (await redis.info("server"))["process_id"] == redis_server.pid
        assert await twin_process_id(redis) == redis_server.pid
    arqs = await create_pool(arq_redis_settings(load_settings(redis_url=url)))
    try:
        assert (await arqs.info("server"))["process_id"] == redis_server.pid
    finally:
        await arqs.aclose()


async def test_sentinels_and_their_master_are_reached_over_tls(
    tls_port: int, redis_server: EmbeddedRedis, authority: Authority
) -> None:
    async with Sentinel() as sentinel, tls_proxy(authority, sentinel.port) as sentinel_port:
        await sentinel.monitor(tls_port, quorum=2, host="localhost")
        options = f"ssl_ca_certs={authority.certificate}"
        async with open_redis(f"rediss+sentinel://localhost:{sentinel_port}/{MASTER}?{options}") as redis:
            assert (await redis.info("server"))["process_id"] == redis_server.pid
            assert await twin_process_id(redis) == redis_server.pid
        url = f"rediss+sentinel://:{PASSWORD}@127.0.0.1:{sentinel_port}/{MASTER}?{options}"
        assert "IP address mismatch" in await startup_error(url)


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [("localhost", False, "unable to get local issuer certificate"), ("127.0.0.1", True, "IP address mismatch")],
    ids=["unknown authority", "another host's name"],
)
async def test_a_certificate_that_cannot_be_verified_is_refused(
    tls_port: int, authority: Authority, host: str, trusted: bool, reason: str
) -> None:
    options = f"?ssl_ca_certs={authority.certificate}" if trusted else ""

    message = await startup_error(f"rediss://:{PASSWORD}@{host}:{tls_port}/0{options}")
    assert f"the certificate of Redis at {host}:{tls_port} is not accepted: {reason}" in message


async def test_certificates_that_are_renewed_while_a_connection_is_open_are_read_anew(
    redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    authorities = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        authorities.append(Authority(tmp_path / name))
    old, new = authorities
    trusted = tmp_path / "trusted.pem"
    shutil.copy(old.certificate, trusted)
    async with AsyncExitStack() as stack:
        async with tls_proxy(old, redis_server.port) as port:
            url = f"rediss://localhost:{port}/0?ssl_ca_certs={trusted}"
            redis = await stack.enter_async_context(open_redis(url))
            twin = sync_twin(redis)
            stack.callback(twin.close)
            assert await redis.ping()
            assert await asyncio.to_thread(twin.ping)
        async with tls_proxy(new, redis_server.port, listen_on=port):
            for _ in range(2):
                with pytest.raises(RedisConnectionError):
                    await redis.ping()
            shutil.copy(new.certificate, trusted)

            assert await until(lambda: answers(redis))
            assert await asyncio.to_thread(twin.ping)


async def answers(redis: ArqRedis) -> bool:
    try:
        return bool(await redis.ping())
    except RedisConnectionError:
        return False


async def test_a_missing_ca_file_is_a_configuration_error(tmp_path: Path) -> None:
    url = f"rediss://:{PASSWORD}@localhost:1/0?ssl_ca_certs={tmp_path}/none.pem"

    with pytest.raises(ConfigurationError, match=r"\AREDIS_URL: the TLS options .*No such file") as caught:
        open_arq_redis(load_settings(redis_url=url), Codec())
    assert PASSWORD not in str(caught.value)


async def twin_process_id(redis: ArqRedis) -> int:
    """Return the process id of the server that the blocking client connects to."""
    twin = sync_twin(redis)
    try:
        info: Any = await asyncio.to_thread(twin.info, "server")
    finally:
        twin.close()
    return int(info["process_id"])


async def startup_error(url: str) -> str:
    """Return the message of `check_redis`'s error: one line without secrets. The blocking client must fail too."""
    async with open_redis(url) as redis:
        with pytest.raises(RegistryError, match=r"\AREDIS_URL: [^\n]+\Z") as caught:
            await check_redis(redis, load_settings(redis_url=url))
        with pytest.raises(RedisConnectionError):
            await twin_process_id(redis)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)
