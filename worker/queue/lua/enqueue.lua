-- Puts jobs on their queues, each id once, and returns what was there already.
--
-- KEYS  leases, crashes, abort, dead letters
-- ARGV  for each job four values: id, queue, payload, delay in ms
-- Returns for each job: new, queued, running, done or dead.
--
-- A payload that is already there byte for byte was written by an earlier attempt of the same call whose answer was
-- lost, so it counts as new. No payload written here expires before its job ends.
local leases, crashes, abort, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = clock_ms()
local states, scores = {}, {}
-- Usually these are empty, and looking up every id in them would be half of the work.
local any_dead = redis.call('HLEN', dead) > 0
local any_abort = redis.call('ZCARD', abort) > 0
local any_lease = redis.call('HLEN', leases) > 0
local any_crash = redis.call('HLEN', crashes) > 0
-- Arguments per call; Lua's stack takes a few thousand.
local BATCH = 1000

-- The state of an id whose job key exists.
local function known(id, payload)
    if redis.pcall('GET', JOB .. id) == payload then return 'new' end
    return redis.call('EXISTS', IN_PROGRESS .. id) == 1 and 'running' or 'queued'
end

local function in_batches(command, key, values)
    for first = 1, #values, BATCH do
        local part = {unpack(values, first, math.min(first + BATCH - 1, #values))}
        if key then table.insert(part, 1, key) end
        redis.call(command, unpack(part))
    end
end

-- A call from a script costs more than the command itself, so all ids are looked up together.
local any_result = false
for first = 1, #ARGV, 4 * BATCH do
    local results = {}
    for i = first, math.min(first + 4 * (BATCH - 1), #ARGV), 4 do results[#results + 1] = RESULT .. ARGV[i] end
    any_result = any_result or redis.call('EXISTS', unpack(results)) > 0
end

-- The remains of an earlier job of this id must not affect the new one.
local leftovers = {}
local function clear(id, queue)
    leftovers[#leftovers + 1] = TRIES .. id
    leftovers[#leftovers + 1] = HISTORY .. id
    if any_abort then redis.call('ZREM', abort, id) end
    if any_lease and redis.call('HDEL', leases, id) == 1 then redis.call('ZREM', queue .. LEASED_SUFFIX, id) end
    if any_crash then redis.call('HDEL', crashes, id) end
end

for i = 1, #ARGV, 4 do
    local id, queue, payload, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    if not scores[queue] then
        -- Fails before anything is written if the queue is a key of another type: a payload without a queue entry would
        -- look like an earlier attempt.
        redis.call('ZCARD', queue)
        scores[queue] = {}
    end
    local state
    if any_dead and redis.call('HEXISTS', dead, id) == 1 then
        -- Looked up first, because a dead job's error is kept as a result too.
        state = 'dead'
    elseif not redis.call('SET', JOB .. id, payload, 'NX') then
        state = known(id, payload)
    elseif any_result and redis.call('EXISTS', RESULT .. id) == 1 then
        redis.call('DEL', JOB .. id)
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
    -- For deferred jobs too: the worker that wakes learns when the next job is due.
    if #pairs_of_queue > 0 then announce(queue) end
end
return states
