-- Looks at some jobs of a batch that have not ended, as far as it knows: drops those that wait, if the batch is
-- cancelled; counts those that have ended without it, because a worker of an earlier version ended them or because
-- their envelope could not be read; and puts those back on their queue that have vanished from it.
--
-- KEYS  leases, crashes, abort, dead letters, clock
-- ARGV  id of the batch, first and last position among its jobs, then pairs: id of a job, and the outcome that its
--       result has
-- Returns {how many jobs the batch has, or -1 if there is no such batch; how many have not ended; how many were dropped;
--   ids of the jobs that have a result whose outcome is not among the arguments; 1 if the batch is cancelled, otherwise 0}
local leases, crashes, abort, dead, clock = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id = ARGV[1]
write_although_full(clock)
local now = clock_ms()
local batch = read_batch(id)
-- These fail before anything is written if a key is of another type.
local any_crash = redis.call('HLEN', crashes) > 0
local any_abort = redis.call('ZCARD', abort) > 0
redis.call('HLEN', dead)
if not batch then
    redis.call('ZREM', BATCHES, id)
    redis.pcall('ZREM', CANCELLED_BATCHES, id)
    return {-1, 0, 0, {}, 0}
end
local reported = {}
for i = 4, #ARGV, 2 do reported[ARGV[i]] = ARGV[i + 1] end
local jobs = redis.call('LRANGE', BATCH_ORDER .. id, ARGV[2], ARGV[3])
local states = read_states(id, jobs)
local open = {}
for _, job in ipairs(jobs) do
    if states[job] and not outcome_of(states[job]) then open[#open + 1] = job end
end

local owners, any_lease = {}, redis.call('HLEN', leases) > 0
for first = 1, any_lease and #open or 0, PER_CALL do
    local part = {unpack(open, first, math.min(first + PER_CALL - 1, #open))}
    for i, owner in ipairs(redis.call('HMGET', leases, unpack(part))) do owners[part[i]] = owner end
end

-- Whether a key holds a queue, or nothing. Jobs of one that does not are left as they are.
local queues = {}
local function is_queue(key)
    if queues[key] == nil then queues[key] = type(redis.pcall('ZCARD', key)) == 'number' end
    return queues[key]
end

-- How many of the keys of these jobs exist. A call from a script costs more than the command itself.
local function count_keys(prefix)
    local count = 0
    for first = 1, #open, PER_CALL do
        local names = {}
        for i = first, math.min(first + PER_CALL - 1, #open) do names[#names + 1] = prefix .. open[i] end
        count = count + redis.call('EXISTS', unpack(names))
    end
    return count
end

local none_runs, all_stored = count_keys(IN_PROGRESS) == 0, count_keys(JOB) == #open
local function exists(prefix, job) return redis.call('EXISTS', prefix .. job) == 1 end
-- Usually no job has been tried before it is dropped.
local any_tried = batch.cancelled and count_keys(TRIES) + count_keys(HISTORY) > 0

local dropped, gone, unread, left = 0, {}, {}, {}
local function drop(job, queue)
    gone[#gone + 1] = JOB .. job
    if any_tried then
        gone[#gone + 1] = TRIES .. job
        gone[#gone + 1] = HISTORY .. job
    end
    left[queue] = left[queue] or {}
    table.insert(left[queue], job)
    set_state(batch, job, ':dropped')
    dropped = dropped + 1
end

for _, job in ipairs(open) do
    local queue = states[job]
    local running = owners[job] or not none_runs and exists(IN_PROGRESS, job)
    local stored = all_stored or exists(JOB, job)
    if running or not is_queue(queue) then
        -- It ends, or is delivered again.
    elseif stored and batch.cancelled then
        drop(job, queue)
    else
        -- Without its payload a job on the queue becomes a dead letter once a worker claims it.
        local queued = redis.call('ZSCORE', queue, job)
        if queued and batch.cancelled then
            drop(job, queue)
        elseif stored and not queued then
            redis.call('ZADD', queue, now, job)
            announce(queue)
        elseif stored or queued then
            -- It waits.
        elseif redis.call('HEXISTS', dead, job) == 1 then
            count_end(id, job, 'dead', '')
        elseif redis.call('EXISTS', RESULT .. job) == 0 then
            count_end(id, job, 'lost', '')
        elseif reported[job] then
            count_end(id, job, reported[job], '')
        else
            unread[#unread + 1] = job
        end
    end
end
for first = 1, #gone, PER_CALL do
    redis.call('DEL', unpack(gone, first, math.min(first + PER_CALL - 1, #gone)))
end
for queue, ids in pairs(left) do
    in_parts('ZREM', queue, ids)
    if any_abort then in_parts('ZREM', abort, ids) end
    if any_crash then in_parts('HDEL', crashes, ids) end
    -- A worker that passed over these jobs may have left others behind them.
    if redis.call('ZCARD', queue) > 0 then announce(queue) end
end
batch.dropped = batch.dropped + dropped
store_batches(now)
return {batch.total, batch.total - ended_jobs(batch), dropped, unread, batch.cancelled and 1 or 0}
