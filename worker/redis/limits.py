"""How large a value Redis takes."""

from typing import TYPE_CHECKING

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from worker.redis.errors import REDIS_ERRORS

if TYPE_CHECKING:
    from redis.asyncio import Redis

ALWAYS_ACCEPTED = 512 * 1024
"""Values of this size fit into every Redis, whatever its limits are set to."""
_DEFAULT_BULK, _DEFAULT_BUFFER = 512 * 1024 * 1024, 1024 * 1024 * 1024


class ValueLimit:
    """The largest value that this Redis takes in one command: `bytes`, its default until `read`.

    Redis answers a larger value with an error or closes the connection, which looks like an outage and would be one
    for ever.
    """

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis
        self.bytes = _DEFAULT_BULK

    async def read(self) -> bool:
        """Ask Redis for its limit; returns whether it answers.

        An answer that withholds the limit changes nothing: hosted Redis and the rules of docs/security.md forbid
        CONFIG.
        """
        try:
            try:
                bulk = await self._redis.config_get("proto-max-bulk-len")
            except RedisConnectionError:
                # Perhaps on the very connection that Redis has closed over a large value.
                bulk = await self._redis.config_get("proto-max-bulk-len")
            buffered = await self._redis.config_get("client-query-buffer-limit")
        except ResponseError:
            return True
        except REDIS_ERRORS:
            return False
        self.bytes = min(
            int(bulk.get("proto-max-bulk-len", _DEFAULT_BULK)),
            # The value is not alone in its command.
            int(buffered.get("client-query-buffer-limit", _DEFAULT_BUFFER)) // 2,
        )
        return True

    async def read_memory(self) -> int:
        """Return the largest value for which this Redis may have the memory, now or later.

        Half of `maxmemory`: a value is in memory twice while a script stores it. A Redis that does not say has no
        such limit.
        """
        try:
            memory = await self._redis.info("memory")
        except REDIS_ERRORS:
            return self.bytes
        most = int(memory.get("maxmemory", 0))
        return max(ALWAYS_ACCEPTED, most // 2) if most else self.bytes
