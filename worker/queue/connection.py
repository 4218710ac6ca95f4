"""Connections to Redis that are bounded in number and in time, and verify TLS."""

from typing import Any

from arq.connections import ArqRedis, RedisSettings
from redis import Redis as SyncRedis
from redis.asyncio.connection import BlockingConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from worker.codec import Codec
from worker.contract import DEFAULT_LANE
from worker.errors import ConfigurationError, OutageError
from worker.queue.health import error_code
from worker.queue.packing import pack_in_c
from worker.settings import Settings

PASSING_REFUSALS = frozenset({"READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "CLUSTERDOWN", "TRYAGAIN"})
"""Codes of refusals that end by themselves or by an operator's hand: a replica, full memory, a failing disk."""

_DEFAULT_TIMEOUT_S = 5.0
_SHARED_OPTIONS = frozenset(
    {
        "host",
        "port",
        "path",
        "db",
        "username",
        "password",
        "socket_timeout",
        "socket_connect_timeout",
        "ssl_keyfile",
        "ssl_certfile",
        "ssl_cert_reqs",
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_check_hostname",
    }
)
_ARQ_TLS_OPTIONS = (
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_check_hostname",
)


class PrivateRedisSettings(RedisSettings):
    """arq's settings for the places where arq connects by itself; shown without its password."""

    def __repr__(self) -> str:
        where = self.unix_socket_path or f"{self.host}:{self.port}"
        return f"RedisSettings({where}, database={self.database!r})"


def redis_settings(settings: Settings) -> RedisSettings:
    """Return `REDIS_URL` in arq's form, for `arq --check` and arq's own worker."""
    # arq's own reading of a URL knows no escapes, no TLS options, and fails on a bare "/" at the end.
    parts: dict[str, Any] = dict(parse_url(settings.redis_url.get_secret_value()))
    tls = settings.redis_url.get_secret_value().startswith("rediss://")
    return PrivateRedisSettings(
        host=parts.get("host", "localhost"),
        port=parts.get("port", 6379),
        unix_socket_path=parts.get("path"),
        database=parts.get("db", 0),
        username=parts.get("username"),
        password=parts.get("password"),
        conn_timeout=int(settings.redis_timeout) or 1,
        ssl=tls,
        **({"ssl_check_hostname": tls} | {name: parts[name] for name in _ARQ_TLS_OPTIONS if name in parts}),
    )


def open_redis(settings: Settings, codec: Codec) -> ArqRedis:
    """Return a client with a pool of its own; nothing is connected before its first use.

    A full pool waits for a free connection instead of failing, and every wait ends after `REDIS_TIMEOUT`. Raises
    `ConfigurationError` for a URL with options that redis-py does not know.
    """
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=settings.redis_pool_size,
        timeout=settings.redis_timeout,
        **_bounds(settings),
        # Whether to repeat a call is decided where its meaning is known.
        retry=Retry(NoBackoff(), 0),
    )
    try:
        # Makes a connection's object and connects nothing; the pool would find a wrong option out at its first use.
        pool.connection_class(**pool.connection_kwargs)
    except TypeError:
        raise ConfigurationError("REDIS_URL: unknown option after the question mark") from None
    return ArqRedis(
        pack_in_c(pool),
        job_serializer=codec.encode,
        job_deserializer=codec.decode,
        default_queue_name=DEFAULT_LANE,
    )


def sync_twin(redis: ArqRedis) -> "SyncRedis[bytes]":
    """Return a blocking client of one connection to the same server, for a thread of its own."""
    pool = redis.connection_pool
    kwargs = {name: value for name, value in pool.connection_kwargs.items() if name in _SHARED_OPTIONS and value}
    kwargs.setdefault("socket_timeout", _DEFAULT_TIMEOUT_S)
    if issubclass(pool.connection_class, UnixDomainSocketConnection):
        kwargs["unix_socket_path"] = kwargs.pop("path")
    elif issubclass(pool.connection_class, SSLConnection):
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
        raise ConfigurationError(f"REDIS_URL: Redis at {address(settings)} refused us: {error}") from None
    except (RedisError, OSError) as error:
        raise OutageError(
            f"REDIS_URL: no Redis answers at {address(settings)} ({type(error).__name__}); is it running?"
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
    parts: dict[str, Any] = dict(parse_url(settings.redis_url.get_secret_value()))
    return str(parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}")


def _bounds(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "health_check_interval": 15,
    }
    if settings.redis_url.get_secret_value().startswith("rediss://"):
        # By name: redis-py's asynchronous client fails on the constant of `ssl`.
        options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return options
