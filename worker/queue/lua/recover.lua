-- Hands back the jobs of a claim whose answer was lost, so that they need not wait until their leases end.
--
-- KEYS  leases, last claims, then the queues
-- ARGV  token of the claim, id of the worker, for how many milliseconds a job that was claimed alone is deferred
-- Returns how many jobs were handed back, and the id of the last of them.
--
-- Nobody has renewed those leases, because nobody knows of them: they all still end when the claim said, and next to
-- no other lease ends in that millisecond. So the cost grows with what the claim leased, not with what is in flight.
local leases, claims, token, worker, delay_ms = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = clock_ms()
local lease_end = redis.pcall('HGET', claims, worker)
local count, last, last_queue = 0, '', ''
-- Arguments per call; Lua's stack takes a few thousand.
local PER_CALL = 500

-- The ids that this claim owns among those whose leases end at its instant.
local function owned(queue, ids)
    local names, found = {}, {}
    for i, id in ipairs(ids) do names[i] = IN_PROGRESS .. id end
    local owners = redis.call('HMGET', leases, unpack(ids))
    local holders = redis.call('MGET', unpack(names))
    for i, id in ipairs(ids) do
        if owns(token, owners[i], holders[i], queue, id) then found[#found + 1] = id end
    end
    return found
end

local function hand_back(queue, ids)
    local scores, names = {}, {}
    for i, id in ipairs(ids) do
        scores[2 * i - 1], scores[2 * i], names[i] = now, id, IN_PROGRESS .. id
    end
    redis.call('ZADD', queue, 'XX', unpack(scores))
    redis.call('ZREM', queue .. LEASED_SUFFIX, unpack(ids))
    redis.call('HDEL', leases, unpack(ids))
    redis.call('DEL', unpack(names))
    count, last, last_queue = count + #ids, ids[#ids], queue
end

if type(lease_end) == 'string' and tonumber(lease_end) then
    for index = 3, #KEYS do
        local queue = KEYS[index]
        -- Ended leases too: Redis may have been unavailable for longer than a lease.
        local ids = redis.call('ZRANGEBYSCORE', queue .. LEASED_SUFFIX, lease_end, lease_end)
        for first = 1, #ids, PER_CALL do
            local found = owned(queue, {unpack(ids, first, math.min(first + PER_CALL - 1, #ids))})
            if #found > 0 then hand_back(queue, found) end
        end
    end
end
if count == 1 and delay_ms > 0 then redis.call('ZADD', last_queue, 'XX', now + delay_ms, last) end
return {count, last}
