"""Connections to Redis that are bounded in number and in time, verify TLS, and follow Sentinel's master."""

import hashlib
import inspect
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.connection import Connection as SyncConnection
from redis.connection import ConnectionPool as SyncConnectionPool
from redis.connection import SSLConnection as SyncSSLConnection
from redis.connection import UnixDomainSocketConnection as SyncUnixConnection
from redis.connection import parse_url
from redis.exceptions import RedisError

from worker.errors import ConfigurationError
from worker.redis.packing import PACKING, pack_in_c
from worker.redis.primary import PrimaryBlockingPool, PrimaryPool, SyncPrimaryConnection
from worker.redis.sentinel import (
    SentinelConnection,
    Sentinels,
    SentinelSSLConnection,
    SyncSentinelConnection,
    SyncSentinelSSLConnection,
    follow_master,
)
from worker.redis_url import SentinelUrl, refuse_options, split_sentinel_url

if TYPE_CHECKING:
    from worker.settings import Settings

DEFAULT_TIMEOUT_S = 5.0
"""Seconds to wait for an answer of Redis where no other limit is set."""
TLS_OPTIONS = (
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_data",
)
"""Options of a URL that arq has settings for, besides the check of the host name."""
_SHARED_OPTIONS = frozenset(
    {
        "host",
        "port",
        "path",
        "sentinels",
        "db",
        "username",
        "password",
        "credential_provider",
        "protocol",
        "socket_timeout",
        "socket_connect_timeout",
    }
)
# All of them: a connection for which one is missing would be less strict, or not accepted.
_SHARED_TLS_OPTIONS = frozenset(
    name for name in inspect.signature(SyncSSLConnection).parameters if name.startswith("ssl_")
)


def open_pool(settings: "Settings") -> BlockingConnectionPool:
    """Return a pool of connections; none is made before its first use.

    A full pool waits for a free connection instead of failing, and every wait ends after `REDIS_TIMEOUT`. Raises
    `ConfigurationError` for a URL with options that redis-py does not know, or TLS files that it cannot read.
    """
    url, sentinel = read_url(settings)
    pool = pack_in_c(
        PrimaryBlockingPool.from_url(
            url,
            max_connections=settings.redis_pool_size,
            timeout=settings.redis_timeout,
            **_bounds(settings, url),
            # The caller decides whether a call may be repeated: only the caller knows what it does.
            retry=Retry(NoBackoff(), 0),
        )
    )
    if sentinel:
        follow_master(pool, sentinel)
    try:
        # Makes a connection object without connecting: a wrong option would otherwise show at the first use.
        connection = pool.connection_class(**pool.connection_kwargs)
        if isinstance(connection, SSLConnection):
            context = connection.ssl_context.get()
            # redis-py 6 and later would leave the name unchecked without a word.
            if pool.connection_kwargs.get("ssl_check_hostname") and context.verify_mode == ssl.CERT_NONE:
                raise ValueError("ssl_check_hostname needs a certificate that is checked: ssl_cert_reqs=required")
    except TypeError:
        raise ConfigurationError("REDIS_URL: unknown option after the question mark") from None
    except (OSError, ValueError, RedisError) as error:
        raise ConfigurationError(f"REDIS_URL: the TLS options cannot be used ({error})") from None
    return pool


def open_redis(settings: "Settings") -> "Redis[bytes]":
    """Return a client with a pool of its own; close it with `aclose(close_connection_pool=True)`.

    Raises `ConfigurationError` as `open_pool` does.
    """
    return Redis(connection_pool=open_pool(settings))


class _SyncTcp(SyncPrimaryConnection, SyncConnection):  # type: ignore[misc]  # mypy does not follow redis
    """Over TCP, for a thread."""


class _SyncTls(SyncPrimaryConnection, SyncSSLConnection):  # type: ignore[misc]  # as above
    """Over TLS, for a thread."""


class _SyncUnix(SyncPrimaryConnection, SyncUnixConnection):  # type: ignore[misc]  # as above
    """Over a Unix socket, for a thread."""


def sync_twin(redis: "Redis[bytes]") -> "SyncRedis[bytes]":
    """Return a blocking client of one connection to the same server, for a thread of its own.

    Raises `ConfigurationError` for a pool whose connections are not redis-py's, such as those of fakeredis: another
    thread could not use the server behind them.
    """
    pool = redis.connection_pool
    if not (isinstance(pool.connection_class, type) and issubclass(pool.connection_class, AbstractConnection)):
        raise ConfigurationError(
            "a worker needs a Redis server, and the connections of its pool are not redis-py's; "
            "for tests without a server of your own see docs/testing.md"
        )
    tls = issubclass(pool.connection_class, SSLConnection)
    shared = _SHARED_OPTIONS | _SHARED_TLS_OPTIONS if tls else _SHARED_OPTIONS
    given = {name: value for name, value in pool.connection_kwargs.items() if value is not None}
    kwargs = {"socket_timeout": DEFAULT_TIMEOUT_S} | {name: given[name] for name in given.keys() & shared}
    if isinstance(pool, SentinelConnectionPool):
        kwargs["sentinels"] = Sentinels.of_arq(pool)
    if "sentinels" in kwargs:
        kind = SyncSentinelSSLConnection if tls else SyncSentinelConnection
    elif issubclass(pool.connection_class, UnixDomainSocketConnection):
        kind = _SyncUnix
    else:
        kind = _SyncTls if tls else _SyncTcp
    return SyncRedis.from_pool(SyncConnectionPool(kind, max_connections=1, **kwargs))


def connections_in_use(pool: ConnectionPool) -> int:
    """Return how many connections of a pool are in use."""
    return len(pool._in_use_connections)


async def follow_primary(pool: ConnectionPool) -> ConnectionPool:
    """Return a pool of the same connections that follows the primary; the idle ones of `pool` are closed.

    Answers have a timeout: without one, a frozen Redis would block even the end of the worker. A pool with
    connections of another kind than redis-py's is returned as it is.
    """
    kwargs = dict(pool.connection_kwargs)
    kwargs["socket_timeout"] = kwargs.get("socket_timeout") or DEFAULT_TIMEOUT_S
    if isinstance(pool, SentinelConnectionPool):
        del kwargs["connection_pool"]
        kwargs["sentinels"] = Sentinels.of_arq(pool)
        tls = issubclass(pool.connection_class, SSLConnection)
        kind: type | None = SentinelSSLConnection if tls else SentinelConnection
        for client in pool.sentinel_manager.sentinels:
            await client.aclose()
    else:
        kind = PACKING.get(pool.connection_class)
    if kind is None:
        return pool
    await pool.disconnect(inuse_connections=False)
    kwargs |= {"connection_class": kind, "max_connections": pool.max_connections}
    if isinstance(pool, BlockingConnectionPool):
        return PrimaryBlockingPool(timeout=pool.timeout, **kwargs)
    return PrimaryPool(**kwargs)


def call_timeout_s(redis: "Redis[bytes]") -> float:
    """Return the seconds after which a call of this client fails."""
    return redis.connection_pool.connection_kwargs.get("socket_timeout") or DEFAULT_TIMEOUT_S


def address(settings: "Settings") -> str:
    """Return where Redis is, without user and password."""
    url, sentinel = read_url(settings)
    if sentinel:
        return f"{','.join(f'{host}:{port}' for host, port in sentinel.sentinels)}/{sentinel.master}"
    parts: dict[str, Any] = dict(parse_url(url))
    return str(parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}")


def registry_mark(settings: "Settings") -> str:
    """Return a mark that distinguishes this Redis database from others without naming it."""
    url, sentinel = read_url(settings)
    database = dict(parse_url(sentinel.plain if sentinel else url)).get("db", 0)
    return hashlib.blake2b(f"{address(settings)} {database}".encode(), digest_size=16).hexdigest()


def read_url(settings: "Settings") -> tuple[str, SentinelUrl | None]:
    """Return the URL in a form that redis-py knows, and the sentinels that it names.

    Raises `ConfigurationError` for an option that redis-py cannot read, or that would break the queue.
    """
    url = settings.redis_url.get_secret_value()
    sentinel = split_sentinel_url(url)
    if sentinel:
        url = sentinel.plain
    try:
        parts: dict[str, Any] = dict(parse_url(url))
        int(parts.get("port") or 0)
    except ValueError:
        # Its message repeats the value.
        raise ConfigurationError(
            "REDIS_URL: an option after the question mark has a value of a wrong type"
        ) from None
    refuse_options(parts)
    for name in ("socket_timeout", "socket_connect_timeout"):
        # As for REDIS_TIMEOUT, in whose place they are.
        if parts.get(name, 0) * 2 > settings.worker_lease:
            raise ConfigurationError(
                f"REDIS_URL: {name} must be at most half of WORKER_LEASE, or one slow command loses the lease"
            )
    return url, sentinel


def checks_hostname(parts: Mapping[str, Any]) -> bool:
    """Whether the name in a certificate is checked, by the options of a URL; not if no certificate is."""
    return bool(parts.get("ssl_check_hostname", parts.get("ssl_cert_reqs") != "none"))


def _bounds(settings: "Settings", url: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "health_check_interval": 15,
        # The default of redis-py 8 is 3, in which some answers have other types.
        "protocol": 2,
    }
    if url.startswith("rediss://"):
        options["ssl_check_hostname"] = checks_hostname(parse_url(url))
        # By name: redis-py's asynchronous client fails on the constant of `ssl`.
        options["ssl_cert_reqs"] = "required"
    return options
