"""What must hold before a worker, a producer or a command uses Redis."""

from typing import TYPE_CHECKING

from worker.errors import ConfigurationError
from worker.redis.client import address
from worker.redis.errors import REDIS_ERRORS, translate

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from worker.settings import Settings


async def check_redis(redis: "Redis[bytes]", settings: "Settings") -> list[str]:
    """Make sure that Redis answers and does not evict jobs; returns warnings.

    Raises `ConfigurationError` for a refused login, cluster mode, or an eviction policy that can delete jobs, and
    `OutageError` if Redis cannot be reached or takes no writes. No message contains the URL's password.
    """
    try:
        await redis.ping()
        await refuse_cluster_mode(redis, f"REDIS_URL: Redis at {address(settings)}")
        memory = await redis.info("memory")
        persistence = await redis.info("persistence")
    except REDIS_ERRORS as error:
        raise translate(error, address(settings)) from None
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis at {address(settings)} has maxmemory-policy {policy}, which deletes queued jobs when memory is "
            "short; run: redis-cli CONFIG SET maxmemory-policy noeviction"
        )
    if not persistence.get("aof_enabled"):
        return ["Redis runs without an append-only file: accepted jobs are lost if it crashes (appendonly yes)"]
    return []


async def refuse_cluster_mode(redis: "Redis[bytes]", server: str) -> None:
    """Raise `ConfigurationError`, which names `server`, if Redis runs in cluster mode; raises redis-py's errors."""
    cluster = await redis.info("cluster")
    if cluster.get("cluster_enabled"):
        raise ConfigurationError(
            f"{server} runs in cluster mode (cluster_enabled), which cannot work: the scripts use keys of several "
            "slots. Use a server with cluster-enabled no, with Sentinel for its loss"
        )
