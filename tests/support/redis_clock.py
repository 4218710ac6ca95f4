"""Redis's clock is set back: all that Redis stores then looks as far in the future as the clock was set back."""

from typing import Any

from redis.asyncio import Redis

from worker.queue import keys

# KEYS: clock, leases, last claims, then sorted sets of instants. ARGV: by how many milliseconds.
_MOVE_INSTANTS_ON = f"""
local by = tonumber(ARGV[1])
for index = 4, #KEYS do
    local entries = redis.call('ZRANGE', KEYS[index], 0, -1, 'WITHSCORES')
    for i = 1, #entries, 2 do
        redis.call('ZADD', KEYS[index], 'XX', tonumber(entries[i + 1]) + by, entries[i])
    end
end
for _, field in ipairs({{'seen', 'resumed', 'noted'}}) do
    local stored = redis.call('HGET', KEYS[1], field)
    if stored then redis.call('HSET', KEYS[1], field, tonumber(stored) + by) end
end
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
    local left = redis.call('PTTL', '{keys.IN_PROGRESS}' .. id)
    if left > 0 then redis.call('PEXPIRE', '{keys.IN_PROGRESS}' .. id, left + by) end
end
local claims = redis.call('HGETALL', KEYS[3])
for i = 1, #claims, 2 do
    redis.call('HSET', KEYS[3], claims[i], string.format('%.0f', tonumber(claims[i + 1]) + by))
end
"""


async def set_clock_back(redis: "Redis[bytes]", milliseconds: int, queues: tuple[str, ...]) -> None:
    """Move every instant that the queues have in Redis on by `milliseconds`; to Redis that is the same."""
    instants = [name for queue in queues for name in (queue, queue + keys.LEASED_SUFFIX)]
    names: list[Any] = [keys.CLOCK, keys.LEASES, keys.CLAIMS, *instants]
    await redis.eval(_MOVE_INSTANTS_ON, len(names), *names, milliseconds)
