"""Connections to Redis that are bounded in number and in time, verify TLS, and follow Sentinel's master."""

from typing import Any

from arq.connections import ArqRedis, RedisSettings
from redis import Redis as SyncRedis
from redis.asyncio.connection import BlockingConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool as SyncConnectionPool
from redis.connection import parse_url
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.engine.redis_health import error_code
from worker.errors import ConfigurationError, OutageError
from worker.redis.packing import pack_in_c
from worker.redis.sentinel import (
    MasterNotFound,
    Sentinels,
    SyncSentinelConnection,
    SyncSentinelSSLConnection,
    follow_master,
    refused_certificate,
)
from worker.redis_url import SentinelUrl, split_sentinel_url
from worker.settings import Settings

PASSING_REFUSALS = frozenset({"READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "CLUSTERDOWN", "TRYAGAIN"})
"""Codes of refusals that end by themselves or by an operator's hand: a replica, full memory, a failing disk."""

DEFAULT_TIMEOUT_S = 5.0
"""For how long an answer of Redis is waited for where nothing else is set."""
_TLS_OPTIONS = (
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_check_hostname",
)
_SHARED_OPTIONS = frozenset(
    {
        "host",
        "port",
        "path",
        "sentinels",
        "db",
        "username",
        "password",
        "socket_timeout",
        "socket_connect_timeout",
        *_TLS_OPTIONS,
    }
)


class PrivateRedisSettings(RedisSettings):
    """arq's settings for the places where arq connects by itself; shown without its password."""

    def __repr__(self) -> str:
        where = self.unix_socket_path or (self.host if self.sentinel else f"{self.host}:{self.port}")
        return f"RedisSettings({where}, database={self.database!r})"


def redis_settings(settings: Settings) -> RedisSettings:
    """Return `REDIS_URL` in arq's form, for `arq --check` and arq's own worker.

    arq asks sentinels without TLS and without a password.
    """
    # arq's own reading of a URL knows no escapes, no TLS options, and fails on a bare "/" at the end.
    url, sentinel = _read_url(settings)
    parts: dict[str, Any] = dict(parse_url(url))
    tls = url.startswith("rediss://")
    return PrivateRedisSettings(
        host=list(sentinel.sentinels) if sentinel else parts.get("host", "localhost"),
        port=parts.get("port", 6379),
        unix_socket_path=parts.get("path"),
        database=parts.get("db", 0),
        username=parts.get("username"),
        password=parts.get("password"),
        conn_timeout=int(settings.redis_timeout) or 1,
        ssl=tls,
        sentinel=sentinel is not None,
        sentinel_master=sentinel.master if sentinel else "",
        **({"ssl_check_hostname": tls} | {name: parts[name] for name in _TLS_OPTIONS if name in parts}),
    )


def open_redis(settings: Settings, codec: Codec) -> ArqRedis:
    """Return a client with a pool of its own; nothing is connected before its first use.

    A full pool waits for a free connection instead of failing, and every wait ends after `REDIS_TIMEOUT`. Raises
    `ConfigurationError` for a URL with options that redis-py does not know, or TLS files that it cannot read.
    """
    url, sentinel = _read_url(settings)
    pool = pack_in_c(
        BlockingConnectionPool.from_url(
            url,
            max_connections=settings.redis_pool_size,
            timeout=settings.redis_timeout,
            **_bounds(settings, tls=url.startswith("rediss://")),
            # Whether to repeat a call is decided where its meaning is known.
            retry=Retry(NoBackoff(), 0),
        )
    )
    if sentinel:
        follow_master(pool, sentinel)
    try:
        # Makes a connection's object and connects nothing; the pool would find a wrong option out at its first use.
        connection = pool.connection_class(**pool.connection_kwargs)
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except TypeError:
        raise ConfigurationError("REDIS_URL: unknown option after the question mark") from None
    except (OSError, RedisError) as error:
        raise ConfigurationError(f"REDIS_URL: the TLS options cannot be used ({error})") from None
    return ArqRedis(
        pool,
        job_serializer=codec.encode,
        job_deserializer=codec.decode,
        default_queue_name=DEFAULT_QUEUE,
    )


def sync_twin(redis: ArqRedis) -> "SyncRedis[bytes]":
    """Return a blocking client of one connection to the same server, for a thread of its own."""
    pool = redis.connection_pool
    kwargs = {name: value for name, value in pool.connection_kwargs.items() if name in _SHARED_OPTIONS and value}
    kwargs.setdefault("socket_timeout", DEFAULT_TIMEOUT_S)
    tls = issubclass(pool.connection_class, SSLConnection)
    if isinstance(pool, SentinelConnectionPool):
        kwargs["sentinels"] = Sentinels.of_arq(pool)
    if "sentinels" in kwargs:
        follower = SyncSentinelSSLConnection if tls else SyncSentinelConnection
        return SyncRedis.from_pool(SyncConnectionPool(follower, max_connections=1, **kwargs))
    if issubclass(pool.connection_class, UnixDomainSocketConnection):
        kwargs["unix_socket_path"] = kwargs.pop("path")
    elif tls:
        kwargs["ssl"] = True
    return SyncRedis(**kwargs)


async def check_redis(redis: "ArqRedis", settings: Settings) -> list[str]:
    """Make sure that Redis answers and will not throw jobs away; returns warnings.

    Raises `ConfigurationError` for a refused password or an eviction policy that can delete jobs, and
    `OutageError` when Redis cannot be reached. No message holds the URL's password.
    """
    try:
        await redis.ping()
        memory = await redis.info("memory")
        persistence = await redis.info("persistence")
    except (AuthenticationError, ResponseError) as error:
        if error_code(error) in PASSING_REFUSALS:
            raise OutageError(
                f"REDIS_URL: Redis at {address(settings)} takes no writes for now ({error_code(error)})"
            ) from None
        # What else it says can repeat the arguments of AUTH.
        why = error_code(error) or type(error).__name__
        raise ConfigurationError(
            f"REDIS_URL: Redis at {address(settings)} refused us ({why}); check user, password and database "
            "number, and what the user may do"
        ) from None
    except MasterNotFound as error:
        raise (ConfigurationError if error.unknown else OutageError)(f"REDIS_URL: {error}") from None
    except (RedisError, OSError) as error:
        if why := refused_certificate(error):
            raise ConfigurationError(
                f"REDIS_URL: the certificate of Redis at {address(settings)} is not accepted: {why}"
            ) from None
        raise OutageError(
            f"REDIS_URL: no Redis answers at {address(settings)} ({type(error).__name__}): check host and port, "
            "and that it runs"
        ) from None
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis at {address(settings)} has maxmemory-policy {policy}, which deletes queued jobs when memory is "
            "short; run: redis-cli CONFIG SET maxmemory-policy noeviction"
        )
    if not persistence.get("aof_enabled"):
        return ["Redis runs without an append-only file: accepted jobs are lost if it crashes (appendonly yes)"]
    return []


def address(settings: Settings) -> str:
    """Return where Redis is, without user and password."""
    url, sentinel = _read_url(settings)
    if sentinel:
        return f"{','.join(f'{host}:{port}' for host, port in sentinel.sentinels)}/{sentinel.master}"
    parts: dict[str, Any] = dict(parse_url(url))
    return str(parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}")


def _read_url(settings: Settings) -> tuple[str, SentinelUrl | None]:
    """Return the URL in a form that redis-py knows, and the sentinels that it names.

    Raises `ConfigurationError` for an option that redis-py cannot read.
    """
    url = settings.redis_url.get_secret_value()
    sentinel = split_sentinel_url(url)
    if sentinel:
        url = sentinel.plain
    try:
        parse_url(url)
    except ValueError:
        # Its message repeats the value.
        raise ConfigurationError(
            "REDIS_URL: an option after the question mark has a value of a wrong type"
        ) from None
    return url, sentinel


def _bounds(settings: Settings, *, tls: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "health_check_interval": 15,
    }
    if tls:
        # By name: redis-py's asynchronous client fails on the constant of `ssl`.
        options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return options
