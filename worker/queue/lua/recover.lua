-- Hands back the jobs of a claim whose answer was lost, so that they need not wait until their leases end.
--
-- KEYS  leases, then the queues
-- ARGV  token of the claim
-- Returns how many jobs were handed back.
local leases, token = KEYS[1], ARGV[1]
local now = clock_ms()
local count = 0
for index = 2, #KEYS do
    local queue = KEYS[index]
    -- Ended leases too: Redis may have been unavailable for longer than a lease.
    for _, id in ipairs(redis.call('ZRANGE', queue .. LEASED_SUFFIX, 0, -1)) do
        local owner, holder = redis.call('HGET', leases, id), redis.pcall('GET', IN_PROGRESS .. id)
        if owns(token, owner, holder, queue, id) then
            redis.call('ZADD', queue, 'XX', now, id)
            redis.call('ZREM', queue .. LEASED_SUFFIX, id)
            redis.call('HDEL', leases, id)
            redis.call('DEL', IN_PROGRESS .. id)
            count = count + 1
        end
    end
end
return count
