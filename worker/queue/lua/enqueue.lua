-- Puts jobs on their queues, each id once, and tells what was there already.
--
-- KEYS  leases, crashes, abort, dead letters
-- ARGV  for each job four values: id, queue, payload, delay in ms
-- Returns for each job: new, queued, running, done or dead.
--
-- A payload that is already there byte for byte was put there by an earlier attempt of the same call whose
-- answer was lost, so it counts as new. No payload of ours expires before its job ends.
local leases, crashes, abort, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local states, scores = {}, {}
-- Most of the time there is nothing of the kind, and a look at every id would be half of the work.
local any_dead = redis.call('HLEN', dead) > 0
local any_abort = redis.call('ZCARD', abort) > 0
local any_lease = redis.call('HLEN', leases) > 0
local any_crash = redis.call('HLEN', crashes) > 0
-- How many arguments one call is given; Lua's stack takes a few thousand.
local BATCH = 1000

-- What is known of an id whose job key is there.
local function known(id, payload)
    if redis.pcall('GET', 'arq:job:' .. id) == payload then return 'new' end
    return redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 and 'running' or 'queued'
end

local function in_batches(command, key, values)
    for first = 1, #values, BATCH do
        local part = {unpack(values, first, math.min(first + BATCH - 1, #values))}
        if key then table.insert(part, 1, key) end
        redis.call(command, unpack(part))
    end
end

-- A call from a script costs more than the command itself, so this is asked for all at once.
local any_result = false
for first = 1, #ARGV, 4 * BATCH do
    local results = {}
    for i = first, math.min(first + 4 * (BATCH - 1), #ARGV), 4 do results[#results + 1] = 'arq:result:' .. ARGV[i] end
    any_result = any_result or redis.call('EXISTS', unpack(results)) > 0
end

-- What is left of an earlier job of this id must not touch the new one.
local leftovers = {}
local function clear(id, queue)
    leftovers[#leftovers + 1] = 'arq:retry:' .. id
    leftovers[#leftovers + 1] = 'arq:history:' .. id
    if any_abort then redis.call('ZREM', abort, id) end
    if any_lease and redis.call('HDEL', leases, id) == 1 then redis.call('ZREM', queue .. ':leased', id) end
    if any_crash then redis.call('HDEL', crashes, id) end
end

for i = 1, #ARGV, 4 do
    local id, queue, payload, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    if not scores[queue] then
        -- Fails before anything is written, if the queue is of another type: a payload that is on no queue would
        -- pass for an earlier attempt.
        redis.call('ZCARD', queue)
        scores[queue] = {}
    end
    local state
    if any_dead and redis.call('HEXISTS', dead, id) == 1 then
        -- Asked first, because a dead job's error is kept as a result too.
        state = 'dead'
    elseif not redis.call('SET', 'arq:job:' .. id, payload, 'NX') then
        state = known(id, payload)
    elseif any_result and redis.call('EXISTS', 'arq:result:' .. id) == 1 then
        redis.call('DEL', 'arq:job:' .. id)
        state = 'done'
    else
        state = 'new'
        clear(id, queue)
        table.insert(scores[queue], now + delay)
        table.insert(scores[queue], id)
    end
    states[#states + 1] = state
end
in_batches('DEL', nil, leftovers)
for queue, pairs_of_queue in pairs(scores) do
    in_batches('ZADD', queue, pairs_of_queue)
    -- For deferred jobs too: whoever is woken learns when the next one is due.
    if #pairs_of_queue > 0 then ring(queue) end
end
return states
