import ssl
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import (
    BlockingConnectionPool,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.connection import SSLConnection as SyncSSLConnection
from redis.connection import UnixDomainSocketConnection as SyncUnixDomainSocketConnection
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.engine.arq_redis import arq_redis_settings, open_arq_redis
from worker.errors import ConfigurationError, OutageError
from worker.redis.client import address, sync_twin
from worker.redis.startup import check_redis
from worker.settings import Settings, load_settings

PLAIN = "redis://user:p%40ss%2Fw@redis.example:6400/3"
TLS = "rediss://:p%40ss%2Fw@redis.example/2"
UNIX = "unix://user:p%40ss%2Fw@/run/redis.sock?db=4"
SENTINEL = "redis+sentinel://user:p%40ss%2Fw@one.example:1,two.example:2/main/3?sentinel_password=s%40ss%2Fw"


def settings_for(url: str, **values: Any) -> Settings:
    return load_settings(redis_url=url, **values)


def open_for(url: str, **values: Any) -> Any:
    return open_arq_redis(settings_for(url, **values), Codec())


class FakeRedis:
    def __init__(self, **sections: Any) -> None:
        fine = {"memory": {}, "persistence": {"aof_enabled": 1}, "cluster": {"cluster_enabled": 0}}
        self._sections = fine | sections

    async def ping(self) -> bool:
        return True

    async def info(self, section: str) -> Any:
        answer = self._sections[section]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (PLAIN, {"host": "redis.example", "port": 6400, "db": 3, "username": "user", "password": "p@ss/w"}),
        (TLS, {"host": "redis.example", "db": 2, "password": "p@ss/w"}),
        (UNIX, {"path": "/run/redis.sock", "db": 4, "username": "user", "password": "p@ss/w"}),
        (SENTINEL, {"db": 3, "username": "user", "password": "p@ss/w"}),
    ],
)
def test_both_clients_get_address_and_credentials_from_every_form_of_url(url: str, options: dict[str, Any]) -> None:
    pool = open_for(url).connection_pool
    assert options.items() <= pool.connection_kwargs.items()

    twin = sync_twin(open_for(url)).connection_pool
    assert options.items() <= twin.connection_kwargs.items()


@pytest.mark.parametrize("url", ["redis://h", SENTINEL])
def test_connections_are_limited_in_number_and_have_timeouts(url: str) -> None:
    redis = open_for(url, redis_pool_size=7, redis_timeout=2)
    pool = redis.connection_pool

    assert isinstance(pool, BlockingConnectionPool)
    assert (pool.max_connections, pool.timeout) == (7, 2)
    for kwargs in (pool.connection_kwargs, sync_twin(redis).connection_pool.connection_kwargs):
        assert (kwargs["socket_timeout"], kwargs["socket_connect_timeout"]) == (2, 2)
    assert pool.connection_kwargs["retry"]._retries == 0


async def test_jobs_are_serialized_and_deserialized_by_the_codec() -> None:
    codec = Codec({"k": "0123456789abcdef"})
    redis = open_arq_redis(settings_for("redis://h"), codec)

    assert redis.job_serializer == codec.encode
    assert redis.job_deserializer == codec.decode
    assert redis.default_queue_name == DEFAULT_QUEUE


@pytest.mark.parametrize("url", [TLS, "rediss+sentinel://one.example/main"])
def test_both_clients_and_arqs_own_verify_tls_certificates(url: str) -> None:
    redis = open_for(url)
    pool, twin = redis.connection_pool, sync_twin(redis).connection_pool

    assert issubclass(pool.connection_class, SSLConnection)
    context = pool.make_connection().ssl_context.get()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert issubclass(twin.connection_class, SyncSSLConnection)
    connection = twin.make_connection()
    assert (connection.cert_reqs, connection.check_hostname) == (ssl.CERT_REQUIRED, True)
    arq = arq_redis_settings(settings_for(url))
    assert (arq.ssl, arq.ssl_cert_reqs, arq.ssl_check_hostname) == (True, "required", True)


def test_the_ca_file_is_taken_from_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
    url = "rediss://h?ssl_ca_certs=/etc/ca.pem"

    assert open_for(url).connection_pool.connection_kwargs["ssl_ca_certs"] == "/etc/ca.pem"
    assert sync_twin(open_for(url)).connection_pool.connection_kwargs["ssl_ca_certs"] == "/etc/ca.pem"
    assert arq_redis_settings(settings_for(url)).ssl_ca_certs == "/etc/ca.pem"


@pytest.mark.parametrize("scheme", ["rediss://h", "rediss+sentinel://h/main"])
def test_without_a_check_of_the_certificate_its_name_is_not_checked_either(scheme: str) -> None:
    url = f"{scheme}?ssl_cert_reqs=none"
    redis = open_for(url)

    context = redis.connection_pool.make_connection().ssl_context.get()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    connection = sync_twin(redis).connection_pool.make_connection()
    assert (connection.cert_reqs, connection.check_hostname) == (ssl.CERT_NONE, False)
    assert arq_redis_settings(settings_for(url)).ssl_check_hostname is False


def test_tls_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL: the TLS options cannot be used"):
        open_for("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=true")


def test_a_pool_without_connections_of_redis_py_is_refused() -> None:
    pool = ConnectionPool(connection_class=lambda **_options: None)
    with pytest.raises(ConfigurationError, match="a worker needs a Redis server"):
        sync_twin(Redis(connection_pool=pool))


def test_the_thread_of_the_leases_connects_with_everything_that_the_worker_does() -> None:
    login = UsernamePasswordCredentialProvider("user", "pass")
    tls = {"ssl_ciphers": "ECDHE+AESGCM", "ssl_min_version": ssl.TLSVersion.TLSv1_3, "ssl_check_hostname": False}
    pool = ConnectionPool(connection_class=SSLConnection, host="h", credential_provider=login, **tls)

    twin = sync_twin(Redis(connection_pool=pool)).connection_pool.connection_kwargs

    assert ({"credential_provider": login} | tls).items() <= twin.items()


@pytest.mark.parametrize("option", ["socket_timeout", "socket_connect_timeout"])
def test_a_timeout_in_the_url_is_at_most_half_a_lease_too(option: str) -> None:
    assert open_for(f"redis://h?{option}=5", worker_lease=10)
    with pytest.raises(ConfigurationError, match=f"REDIS_URL: {option} must be at most half of WORKER_LEASE"):
        open_for(f"redis://h?{option}=5.5", worker_lease=10)


def test_both_clients_connect_to_a_unix_socket() -> None:
    redis = open_for(UNIX)

    assert issubclass(redis.connection_pool.connection_class, UnixDomainSocketConnection)
    assert issubclass(sync_twin(redis).connection_pool.connection_class, SyncUnixDomainSocketConnection)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (PLAIN, ("redis.example", 6400, None, 3, "user", "p@ss/w", False)),
        (TLS, ("redis.example", 6379, None, 2, None, "p@ss/w", True)),  # lint: allow port: nothing connects
        (UNIX, ("localhost", 6379, "/run/redis.sock", 4, "user", "p@ss/w", False)),  # lint: allow port: as above
        ("redis://h:1/", ("h", 1, None, 0, None, None, False)),
    ],
)
def test_arqs_settings_name_the_same_server(url: str, expected: tuple[Any, ...]) -> None:
    arq = arq_redis_settings(settings_for(url, redis_timeout=3))

    found = (arq.host, arq.port, arq.unix_socket_path, arq.database, arq.username, arq.password, arq.ssl)
    assert found == expected
    assert arq.conn_timeout == 3


def test_arqs_settings_name_the_same_sentinels() -> None:
    arq = arq_redis_settings(settings_for(SENTINEL))

    assert (arq.sentinel, arq.sentinel_master) == (True, "main")
    assert arq.host == [("one.example", 1), ("two.example", 2)]
    assert (arq.database, arq.username, arq.password) == (3, "user", "p@ss/w")
    assert address(settings_for(SENTINEL)) == "one.example:1,two.example:2/main"


@pytest.mark.parametrize(
    ("url", "where"), [(PLAIN, "redis.example:6400"), (UNIX, "/run/redis.sock"), (SENTINEL, "two.example")]
)
def test_neither_the_address_nor_arqs_settings_show_the_password(url: str, where: str) -> None:
    settings = settings_for(url)

    for shown in (repr(arq_redis_settings(settings)), str(arq_redis_settings(settings)), address(settings)):
        assert where in shown
        assert "ss/w" not in shown
        assert "p%40" not in shown


async def test_a_redis_that_keeps_its_data_gives_no_warning() -> None:
    redis: Any = FakeRedis(memory={"maxmemory_policy": "noeviction"})

    assert await check_redis(redis, settings_for(PLAIN)) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_an_eviction_policy_that_deletes_jobs_is_refused(policy: str) -> None:
    redis: Any = FakeRedis(memory={"maxmemory_policy": policy})

    with pytest.raises(ConfigurationError, match=rf"{policy}.*CONFIG SET maxmemory-policy noeviction"):
        await check_redis(redis, settings_for(PLAIN))


async def test_cluster_mode_is_refused_by_name() -> None:
    redis: Any = FakeRedis(cluster={"cluster_enabled": 1})

    with pytest.raises(ConfigurationError, match=r"^REDIS_URL: Redis at redis.example:6400 runs in cluster mode"):
        await check_redis(redis, settings_for(PLAIN))


async def test_a_redis_without_an_append_only_file_gives_a_warning() -> None:
    redis: Any = FakeRedis(persistence={"aof_enabled": 0})

    (warning,) = await check_redis(redis, settings_for(PLAIN))
    assert "appendonly yes" in warning


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (AuthenticationError("invalid username-password pair"), ConfigurationError),
        (ResponseError("NOPERM this user has no permissions"), ConfigurationError),
        # A server without AUTH repeats the arguments of the refused command.
        (ResponseError("unknown command `AUTH`, with args beginning with: `p@ss/w`, "), ConfigurationError),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), OutageError),
        (RedisConnectionError("Connection refused"), OutageError),
        (TimeoutError(), OutageError),
    ],
)
async def test_an_error_of_redis_is_reported_in_one_line_without_the_password(
    error: Exception, raised: type[Exception]
) -> None:
    redis: Any = FakeRedis(memory=error)

    with pytest.raises(raised, match=r"^REDIS_URL: .*redis\.example:6400") as caught:
        await check_redis(redis, settings_for(PLAIN))
    assert "\n" not in str(caught.value)
    assert "ss/w" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("url", ["redis://:secret@host/0", "redis+sentinel://:secret@host/main"])
def test_an_unknown_url_option_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown option after the question mark") as refused:
        open_arq_redis(load_settings(redis_url=f"{url}?colour=blue"), Codec())
    assert "secret" not in str(refused.value)
