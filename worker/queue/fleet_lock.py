"""A lock for a task that one worker of a fleet does at a time."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from worker.redis.errors import error_code

# What Redis answers for a key without an expiry.
_NEVER_EXPIRES = -1


class FleetLock:
    """A key with the id of the worker that holds the lock; it expires, so that a worker that died does not keep it.

    It does not exclude: a worker that is held up for longer than `expiry_ms` meets another one at the same task. A
    key of another type, which another program wrote, stays as it is, and no worker gets the lock.
    """

    def __init__(self, redis: "Redis[bytes]", key: str, worker_id: str, expiry_ms: int) -> None:
        self._redis = redis
        self._key = key
        self._holder = worker_id.encode()
        self._expiry_ms = expiry_ms

    async def acquire(self) -> bool:
        """Take the lock if it is free, and return whether it was."""
        if await self._redis.set(self._key, self._holder, nx=True, px=self._expiry_ms):
            return True
        if await self._redis.pttl(self._key) == _NEVER_EXPIRES and await self._read() is not None:
            # Another program wrote it: no worker would ever get the lock.
            await self._redis.pexpire(self._key, self._expiry_ms)
        return False

    async def extend(self) -> bool:
        """Hold the lock for longer if it is still this worker's, and return whether it is."""
        if await self._read() != self._holder:
            return False
        await self._redis.pexpire(self._key, self._expiry_ms)
        return True

    async def release(self) -> None:
        """Free the lock, if it is still this worker's."""
        if await self._read() == self._holder:
            await self._redis.delete(self._key)

    async def _read(self) -> bytes | None:
        try:
            found: bytes | None = await self._redis.get(self._key)
        except ResponseError as error:
            if error_code(error) != "WRONGTYPE":
                raise
            return None
        return found
