-- Extends the leases of running jobs, as long as their owner still owns them.
--
-- KEYS  leases, clock, crashes
-- ARGV  lease in ms, then for each job: id, queue, token
-- Returns the ids whose lease is lost.
local leases, clock, crashes = KEYS[1], KEYS[2], KEYS[3]
local lease = tonumber(ARGV[1])
-- A full Redis must not make owners lose their leases: renewing replaces what is there. First, so that the queues'
-- time is noted then too.
write_although_full(clock)
local now = clock_ms()
local lease_end = now + lease

note_alive(clock, lease, now)

local lost = {}
for i = 2, #ARGV, 3 do
    local id, queue, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local owner, holder = redis.call('HGET', leases, id), redis.pcall('GET', IN_PROGRESS .. id)
    if owns(token, owner, holder, queue, id) then
        redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease)
        redis.call('ZADD', queue, 'XX', lease_end, id)
        redis.call('ZADD', queue .. LEASED_SUFFIX, lease_end, id)
    else
        -- An owner that had been frozen or cut off is back.
        take_back_crash(crashes, id, token)
        lost[#lost + 1] = id
    end
end
return lost
