-- Hands back the jobs of a claim whose answer was lost on the way, so that they need not wait out a lease.
--
-- KEYS  leases, then the queues
-- ARGV  token of the claim
-- Returns how many jobs were handed back.
local leases, token = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = 0
for index = 2, #KEYS do
    local queue = KEYS[index]
    -- Ended leases too: Redis may have been away for longer than a lease.
    for _, id in ipairs(redis.call('ZRANGE', queue .. ':leased', 0, -1)) do
        local holder = redis.pcall('GET', 'arq:in-progress:' .. id)
        if redis.call('HGET', leases, id) == token and (not holder or holder == token) then
            redis.call('ZADD', queue, 'XX', now, id)
            redis.call('ZREM', queue .. ':leased', id)
            redis.call('HDEL', leases, id)
            redis.call('DEL', 'arq:in-progress:' .. id)
            count = count + 1
        end
    end
end
return count
