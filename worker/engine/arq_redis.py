"""arq's own forms of a connection to Redis, made from this service's settings."""

from typing import Any

from arq.connections import ArqRedis, RedisSettings, create_pool
from redis.asyncio.connection import BlockingConnectionPool, ConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.connection import parse_url

from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.engine.current_job import current_job
from worker.redis.client import (
    DEFAULT_TIMEOUT_S,
    TLS_OPTIONS,
    checks_hostname,
    follow_primary,
    open_pool,
    read_url,
)
from worker.redis.primary import PrimaryBlockingPool
from worker.settings import Settings


class PrivateRedisSettings(RedisSettings):
    """arq's settings for the places where arq itself connects; shown without the password."""

    def __repr__(self) -> str:
        where = self.unix_socket_path or (self.host if self.sentinel else f"{self.host}:{self.port}")
        return f"RedisSettings({where}, database={self.database!r})"


def arq_redis_settings(settings: Settings) -> RedisSettings:
    """Return `REDIS_URL` in arq's form, for `arq --check` and arq's own worker.

    arq asks sentinels without TLS and without a password.
    """
    # arq's own URL parser knows no escapes and no TLS options, and fails on a "/" at the end.
    url, sentinel = read_url(settings)
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
        **{name: parts[name] for name in TLS_OPTIONS if name in parts},
        ssl_check_hostname=tls and checks_hostname(parts),
    )


def open_arq_redis(settings: Settings, codec: Codec) -> ArqRedis:
    """Return arq's client on a pool from `open_pool`; nothing is connected before its first use.

    Raises `ConfigurationError` for a `REDIS_URL` that cannot be used.
    """
    return ArqRedis(
        open_pool(settings),
        job_serializer=codec.encode,
        job_deserializer=codec.decode,
        default_queue_name=DEFAULT_QUEUE,
    )


async def adopt(redis: ArqRedis) -> ConnectionPool | None:
    """Make a client that the worker's user has made follow the primary, with a timeout for answers.

    Its pool is replaced, if that is one of redis-py's own, and then returned, to be closed in the end: a command
    that is on its way ends on the old pool, and leaves its connection there.
    """
    pool = redis.connection_pool
    if type(pool) not in (ConnectionPool, BlockingConnectionPool, SentinelConnectionPool):
        return None
    redis.connection_pool = await follow_primary(pool)
    return None if redis.connection_pool is pool else pool


def keep_connections_from_jobs(redis: ArqRedis) -> None:
    """Let jobs leave some connections of a client's pool to the worker: a job may keep one as long as it runs."""
    pool = redis.connection_pool
    if isinstance(pool, PrimaryBlockingPool):
        pool.is_guest = _is_in_job


def _is_in_job() -> bool:
    return current_job() is not None


async def create_bounded_pool(settings: RedisSettings | None, **options: Any) -> ArqRedis:
    """Return arq's own pool, except that it follows the primary and has a timeout for answers.

    arq's settings have no such timeout, and a frozen Redis would block even the end of the worker. `options` are
    those of arq's `create_pool`.
    """
    redis = await create_pool(settings, **options)
    pool = redis.connection_pool
    if pool.connection_kwargs.get("socket_timeout") is None:
        pool.connection_kwargs["socket_timeout"] = DEFAULT_TIMEOUT_S
        await pool.disconnect()
        # Open connections keep the options that they were made with.
        pool.reset()
    redis.connection_pool = await follow_primary(pool)
    return redis
