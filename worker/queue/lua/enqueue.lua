-- Puts jobs on their lanes, each id once, and tells what was there already.
--
-- KEYS  leases, crashes, abort, dead letters
-- ARGV  for each job four values: id, lane, payload, delay in ms
-- Returns for each job: new, queued, running, done or dead.
--
-- A payload that is already there byte for byte was put there by an earlier attempt of the same call whose
-- answer was lost, so it counts as new. No payload of ours expires before its job ends.
local leases, crashes, abort, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local states, rung = {}, {}
-- Most of the time there is nothing of the kind, and a look at every id would be half of the work.
local any_dead = redis.call('HLEN', dead) > 0
local any_abort = redis.call('ZCARD', abort) > 0
local any_lease = redis.call('HLEN', leases) > 0
local any_crash = redis.call('HLEN', crashes) > 0

for i = 1, #ARGV, 4 do
    local id, lane, payload, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    local state
    local stored = redis.pcall('GET', 'arq:job:' .. id)
    if stored then
        if stored == payload then
            state = 'new'
        elseif redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
            state = 'running'
        else
            state = 'queued'
        end
    elseif any_dead and redis.call('HEXISTS', dead, id) == 1 then
        -- Asked first, because a dead job's error is kept as a result too.
        state = 'dead'
    elseif redis.call('EXISTS', 'arq:result:' .. id) == 1 then
        state = 'done'
    else
        state = 'new'
        -- What can be refused comes first (memory full, a lane of another type): a payload that is on no lane
        -- would pass for an earlier attempt.
        redis.call('ZADD', lane, now + delay, id)
        redis.call('SET', 'arq:job:' .. id, payload)
        -- What is left of an earlier job of this id must not touch the new one.
        redis.call('DEL', 'arq:retry:' .. id, 'arq:history:' .. id)
        if any_abort then redis.call('ZREM', abort, id) end
        if any_lease and redis.call('HDEL', leases, id) == 1 then
            redis.call('ZREM', lane .. ':leased', id)
        end
        if any_crash then redis.call('HDEL', crashes, id) end
        rung[lane] = true
    end
    states[#states + 1] = state
end
-- For deferred jobs too: whoever is woken learns when the next one is due.
for lane in pairs(rung) do
    if redis.call('LLEN', lane .. ':wakeup') == 0 then redis.call('LPUSH', lane .. ':wakeup', 1) end
end
return states
