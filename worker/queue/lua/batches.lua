-- What the scripts share that change batches. It stands behind the prelude, in those scripts alone.
--
-- A batch is a hash with its counters (BATCH), a hash of its jobs (BATCH_JOBS), a list of their ids in the order in
-- which they were added (BATCH_ORDER), and until it has ended the envelope of its completion job (BATCH_COMPLETION).
-- In the hash of jobs the value is the job's queue, and once the job has ended, a colon and its outcome.

-- Seconds for which a batch that has ended can be read.
local BATCH_TTL = 30 * 86400
-- The order is that of the fields that read_batch asks for.
local OUTCOMES = {'complete', 'dead', 'aborted', 'dropped', 'lost'}
-- Milliseconds without a job that ends, after which a worker looks whether jobs of a batch have vanished.
local SILENCE = 15000
-- Arguments per call; Lua's stack takes a few thousand.
local PER_CALL = 500

local batches = {}

-- Reads a batch, once per call of a script. Returns nil if there is none, or if another program wrote its keys: what
-- could fail later would leave a script half done.
local function read_batch(id)
    if batches[id] ~= nil then return batches[id] or nil end
    batches[id] = false
    local found = redis.pcall(
        'HMGET', BATCH .. id, 'total', 'complete', 'dead', 'aborted', 'dropped', 'lost', 'sealed', 'cancelled', 'finished',
        'completion', 'queue', 'counts'
    )
    if found.err or not tonumber(found[1]) then return nil end
    if type(redis.pcall('HLEN', BATCH_JOBS .. id)) ~= 'number' then return nil end
    if type(redis.pcall('LLEN', BATCH_ORDER .. id)) ~= 'number' then return nil end
    local batch = {
        total = tonumber(found[1]), sealed = found[7], cancelled = found[8], finished = found[9],
        completion = found[10] or '', queue = found[11] or '', counts = {}, states = {}, changed = {}, added = {},
    }
    for i, outcome in ipairs(OUTCOMES) do batch[outcome] = tonumber(found[i + 1]) or 0 end
    for name, count in string.gmatch(found[12] or '', '(%S+)=(%d+)') do batch.counts[name] = tonumber(count) end
    batches[id] = batch
    return batch
end

-- The states of jobs in a batch, by id; false for one that is not in it.
local function read_states(id, jobs)
    local states = batches[id].states
    for first = 1, #jobs, PER_CALL do
        local part = {unpack(jobs, first, math.min(first + PER_CALL - 1, #jobs))}
        for i, state in ipairs(redis.call('HMGET', BATCH_JOBS .. id, unpack(part))) do
            if states[part[i]] == nil then states[part[i]] = state end
        end
    end
    return states
end

-- The outcome of a job that has ended, by its state; nil for one that has not.
local function outcome_of(state) return string.byte(state) == 58 and string.sub(state, 2) or nil end

local function set_state(batch, job, state)
    batch.states[job] = state
    batch.changed[job] = true
end

-- Counts the end of a job. A job that is not in the batch changes nothing, and neither does one that was counted: only a
-- dead letter can be retried, and what was taken for lost may turn up again.
local function count_end(id, job, outcome, counts)
    local batch = read_batch(id)
    if not batch then return end
    local state = batch.states[job]
    if state == nil then state = read_states(id, {job})[job] end
    if not state then return end
    local earlier = outcome_of(state)
    if earlier and earlier ~= 'dead' and earlier ~= 'lost' then return end
    if earlier then batch[earlier] = batch[earlier] - 1 end
    batch[outcome] = batch[outcome] + 1
    set_state(batch, job, ':' .. outcome)
    for name, count in string.gmatch(counts, '(%S+)=(%d+)') do
        batch.counts[name] = (batch.counts[name] or 0) + tonumber(count)
    end
end

local function ended_jobs(batch)
    local ended = 0
    for _, outcome in ipairs(OUTCOMES) do ended = ended + batch[outcome] end
    return ended
end

-- Enqueues the completion job of a batch and ends it, once: if it takes no more jobs, and all that it has have ended.
local function end_batch(id, batch, now)
    if batch.finished or not (batch.sealed or batch.cancelled) or ended_jobs(batch) < batch.total then return end
    if batch.completion ~= '' then
        -- A queue of another type must not end the script; a worker tries again later.
        if type(redis.pcall('ZADD', batch.queue, now, batch.completion)) ~= 'number' then return end
        local envelope = redis.pcall('GET', BATCH_COMPLETION .. id)
        -- Without it the job becomes a dead letter once a worker claims it.
        if type(envelope) == 'string' then redis.call('SET', JOB .. batch.completion, envelope) end
        redis.call('DEL', BATCH_COMPLETION .. id)
        announce(batch.queue)
    end
    batch.finished = now
    redis.call('HSET', BATCH .. id, 'finished', string.format('%d', now))
    redis.pcall('ZREM', BATCHES, id)
    if batch.cancelled then redis.pcall('ZREM', CANCELLED_BATCHES, id) end
    for _, prefix in ipairs({BATCH, BATCH_JOBS, BATCH_ORDER}) do redis.call('EXPIRE', prefix .. id, BATCH_TTL) end
end

local function in_parts(command, key, values)
    for first = 1, #values, PER_CALL do
        redis.call(command, key, unpack(values, first, math.min(first + PER_CALL - 1, #values)))
    end
end

-- Writes what has changed in a batch.
local function store_batch(id, batch, now)
    local states = {}
    for job in pairs(batch.changed) do
        states[#states + 1] = job
        states[#states + 1] = batch.states[job]
    end
    if #states > 0 then
        in_parts('HSET', BATCH_JOBS .. id, states)
        in_parts('RPUSH', BATCH_ORDER .. id, batch.added)
        local fields, counts = {'total', string.format('%d', batch.total)}, {}
        for _, outcome in ipairs(OUTCOMES) do
            fields[#fields + 1] = outcome
            fields[#fields + 1] = string.format('%d', batch[outcome])
        end
        for name, count in pairs(batch.counts) do counts[#counts + 1] = name .. '=' .. string.format('%d', count) end
        redis.call('HSET', BATCH .. id, 'counts', table.concat(counts, ' '), unpack(fields))
        -- A batch whose jobs end needs no look. One that was cancelled does, in case nobody is left who drops its jobs.
        -- A key of another type in place of the index must not end the script after its first writes.
        if not batch.finished and not batch.cancelled then redis.pcall('ZADD', BATCHES, 'XX', now + SILENCE, id) end
    end
    end_batch(id, batch, now)
end

local function store_batches(now)
    for id, batch in pairs(batches) do
        if batch then store_batch(id, batch, now) end
    end
end

