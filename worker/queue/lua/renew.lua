-- Extends the leases of running jobs, as long as their owner still is their owner.
--
-- KEYS  leases, clock
-- ARGV  lease in ms, then for each job: id, queue, token
-- Returns the ids whose lease is lost.
local leases, clock = KEYS[1], KEYS[2]
local lease = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease_end = now + lease

-- A renewal is a sign of life as a claim is; see claim.lua for what a silence means.
local seen = math.min(tonumber(redis.call('HGET', clock, 'seen')) or now, now)
if now - seen > lease then
    redis.call('HSET', clock, 'resumed', now)
end
redis.call('HSET', clock, 'seen', now)

local function owned(id, queue, token)
    if redis.call('HGET', leases, id) ~= token then return false end
    local holder = redis.pcall('GET', 'arq:in-progress:' .. id)
    if holder then return holder == token end
    -- As in finish.lua: a stock worker may have ended the job since its lease ran out.
    return redis.call('ZSCORE', queue, id) or redis.call('EXISTS', 'arq:job:' .. id) == 1
end

local lost = {}
for i = 2, #ARGV, 3 do
    local id, queue, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if owned(id, queue, token) then
        redis.call('SET', 'arq:in-progress:' .. id, token, 'PX', lease)
        redis.call('ZADD', queue, 'XX', lease_end, id)
        redis.call('ZADD', queue .. ':leased', lease_end, id)
    else
        lost[#lost + 1] = id
    end
end
return lost
