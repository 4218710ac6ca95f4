-- Puts jobs on their queues, each id once, and returns what was there already.
--
-- KEYS  leases, crashes, abort, dead letters, and if the jobs are of a batch its hash
-- ARGV  for each job four values: id, queue, payload, delay in ms
-- Returns for each job: new, queued, running, done or dead. If the batch does not take a job that it does not have, no
-- job is enqueued, and the only answer is "no batch", "sealed" or "cancelled".
--
-- A job that its batch has already is not counted again, and one that has ended in it is not enqueued again.
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

-- The state of an id whose job key exists.
local function known(id, payload)
    if redis.pcall('GET', JOB .. id) == payload then return 'new' end
    return redis.call('EXISTS', IN_PROGRESS .. id) == 1 and 'running' or 'queued'
end

local function in_groups(command, key, values)
    for first = 1, #values, PER_CALL do
        local part = {unpack(values, first, math.min(first + PER_CALL - 1, #values))}
        if key then table.insert(part, 1, key) end
        redis.call(command, unpack(part))
    end
end

-- A call from a script costs more than the command itself, so all ids are looked up together.
local any_result = false
for first = 1, #ARGV, 4 * PER_CALL do
    local results = {}
    for i = first, math.min(first + 4 * (PER_CALL - 1), #ARGV), 4 do results[#results + 1] = RESULT .. ARGV[i] end
    any_result = any_result or redis.call('EXISTS', unpack(results)) > 0
end

local batch_id = KEYS[5] and string.sub(KEYS[5], #BATCH + 1)
local batch = batch_id and read_batch(batch_id)
if batch_id then
    if not batch then return {'no batch'} end
    local ids = {}
    for i = 1, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
    read_states(batch_id, ids)
    for _, id in ipairs(ids) do
        if not batch.states[id] and (batch.cancelled or batch.sealed) then
            return {batch.cancelled and 'cancelled' or 'sealed'}
        end
    end
end

-- What a batch knows of a job that is not to be enqueued again; nil otherwise.
local function known_in_batch(id)
    local state = batch.states[id]
    local outcome = state and outcome_of(state)
    if outcome then return outcome == 'dead' and 'dead' or 'done' end
    -- It would be dropped.
    return state and batch.cancelled and 'queued' or nil
end

local function add_to_batch(id, queue, state)
    if batch.states[id] then return end
    batch.total = batch.total + 1
    batch.added[#batch.added + 1] = id
    set_state(batch, id, queue)
    -- A job of this id has ended before it was added.
    if state == 'done' then count_end(batch_id, id, 'complete', '') end
    if state == 'dead' then count_end(batch_id, id, 'dead', '') end
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
    local state = batch and known_in_batch(id)
    if state then
        -- Not enqueued again.
    elseif any_dead and redis.call('HEXISTS', dead, id) == 1 then
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
    if batch then add_to_batch(id, queue, state) end
end
in_groups('DEL', nil, leftovers)
for queue, pairs_of_queue in pairs(scores) do
    in_groups('ZADD', queue, pairs_of_queue)
    -- For deferred jobs too: the worker that wakes learns when the next job is due.
    if #pairs_of_queue > 0 then announce(queue) end
end
store_batches(now)
return states
