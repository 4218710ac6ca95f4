-- Puts jobs on their queues, each id once, and returns what was there already.
--
-- KEYS  leases, crashes, abort, dead letters, and if the jobs are of a batch its hash
-- ARGV  how many queues are bounded, for each its name and how many jobs may wait on it; then for each job four values:
--   id, queue, payload, delay in ms
-- Returns for each job: new, queued, running, done or dead. If the batch does not take a job that it does not have, no
-- job is enqueued, and the only answer is "no batch", "sealed" or "cancelled".
--
-- A job whose payload has a digest is compared with what its id was used for. If that was another act, its answer is
-- "used". If what is stored has no digest, its answer is a list of its state and what is stored, for the caller to
-- compare. Either is the last answer: the jobs after it are not looked at.
--
-- A new job whose queue is full is not enqueued: its answer is {"full", how many jobs wait there, how many may}, and the
-- last one. Running jobs do not wait, deferred ones do.
--
-- A job that its batch has already is not counted again, and one that has ended in it is not enqueued again.
--
-- A payload that is already there byte for byte was written by an earlier attempt of the same call whose answer was
-- lost, so it counts as new. No payload written here expires before its job ends.
local leases, crashes, abort, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = clock_ms()
local states, scores = {}, {}
local FIRST_JOB = 2 + 2 * tonumber(ARGV[1])
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

-- How many of these keys exist. The rules of a producer may be from before there were digests.
local function count_digests(names)
    local count = #names > 0 and redis.pcall('EXISTS', unpack(names))
    return type(count) == 'number' and count or 0
end

-- A call from a script costs more than the command itself, so all ids are looked up together.
local any_result, any_digest, digests = false, false, {}
for first = FIRST_JOB, #ARGV, 4 * PER_CALL do
    local results, of_digests = {}, {}
    for i = first, math.min(first + 4 * (PER_CALL - 1), #ARGV), 4 do
        results[#results + 1] = RESULT .. ARGV[i]
        digests[i] = digest_of(ARGV[i + 2])
        if digests[i] then of_digests[#of_digests + 1] = DIGEST .. ARGV[i] end
    end
    any_result = any_result or redis.call('EXISTS', unpack(results)) > 0
    any_digest = any_digest or count_digests(of_digests) > 0
end

local batch_id = KEYS[5] and string.sub(KEYS[5], #BATCH + 1)
local batch = batch_id and read_batch(batch_id)
if batch_id then
    if not batch then return {'no batch'} end
    local ids = {}
    for i = FIRST_JOB, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
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

-- The text in a key that may be of another type, or not be readable for an older set of rules; nil then.
local function text_of(key)
    local text = redis.pcall('GET', key)
    return type(text) == 'string' and text or nil
end

-- The digest of what an ended job did, as far as it is kept beside its outcome.
local function remembered(id)
    local state = batch and batch.states[id]
    if state and outcome_of(state) then return read_states(batch_id, {'=' .. id})['=' .. id] end
    return any_digest and text_of(DIGEST .. id)
end

-- Compares a digest with what a known id was used for: returns 'used' if that was another act, what is stored if that
-- has no digest, and nil otherwise.
local function compare(id, digest)
    local unmarked
    for _, prefix in ipairs({JOB, DEAD_PAYLOAD, RESULT}) do
        local stored = text_of(prefix .. id)
        local found = stored and digest_of(stored)
        if found then return found ~= digest and 'used' or nil end
        unmarked = unmarked or stored
    end
    local found = remembered(id)
    if found then return found ~= digest and 'used' or nil end
    return unmarked
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

-- How many more jobs each bounded queue takes.
local bounds, room = {}, {}
for i = 2, FIRST_JOB - 1, 2 do
    local queue, bound = ARGV[i], tonumber(ARGV[i + 1])
    bounds[queue] = bound
    room[queue] = bound - (redis.call('ZCARD', queue) - redis.call('ZCARD', queue .. LEASED_SUFFIX))
end

for i = FIRST_JOB, #ARGV, 4 do
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
    elseif digests[i] and (remembered(id) or digests[i]) ~= digests[i] then
        -- Its outcome is gone, but what it did is known.
        redis.call('DEL', JOB .. id)
        state = 'used'
    elseif room[queue] and room[queue] <= 0 then
        redis.call('DEL', JOB .. id)
        states[#states + 1] = {'full', bounds[queue] - room[queue], bounds[queue]}
        break
    else
        state = 'new'
        if room[queue] then room[queue] = room[queue] - 1 end
        clear(id, queue)
        table.insert(scores[queue], now + delay)
        table.insert(scores[queue], id)
    end
    local found = digests[i] and state ~= 'new' and state ~= 'used' and compare(id, digests[i])
    if found == 'used' then state = 'used' end
    if state == 'used' then
        states[#states + 1] = state
        break
    end
    if batch then add_to_batch(id, queue, state) end
    states[#states + 1] = found and {state, found} or state
    if found then break end
end
in_groups('DEL', nil, leftovers)
for queue, pairs_of_queue in pairs(scores) do
    in_groups('ZADD', queue, pairs_of_queue)
    -- For deferred jobs too: the worker that wakes learns when the next job is due.
    if #pairs_of_queue > 0 then announce(queue) end
end
store_batches(now)
return states
