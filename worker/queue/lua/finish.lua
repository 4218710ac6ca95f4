-- Stores a group of completions in one atomic step. Each is applied only if the job still belongs to the
-- owner that reports it; a late runner changes nothing.
--
-- KEYS  leases, crashes, abort, dead letters, their index
-- ARGV  for each completion nine values:
--   id, queue, token, action, result, result's life in ms (0: do not store, -1: for ever),
--   due time (retry: delay in ms from now; return: the score to restore; done and dead: for how many ms the id
--   stays taken: above 0, what is put on a queue under it is dropped by the claim; below 0, it waits),
--   'spend' or 'keep' (whether the try counts), or how many tries there were by the producer's count,
--   extra (dead: the dead letter; retry: an entry of the job's history)
-- Actions: done, dead, retry (run again after a delay), return (hand back untouched).
-- Returns a list of 1 (applied) and 0 (refused), in order.
local leases, crashes, abort, dead, dead_index = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Enough to see a pattern; a job that waits out a long outage must not fill Redis with its history.
local HISTORY_LENGTH = 20
-- A counter of tries that is left over when somebody deletes a job by hand goes away after this time.
local TRIES_TTL = 30 * 86400

-- Most of the time there is nothing of the kind.
local any_crash = redis.call('HLEN', crashes) > 0
local any_abort = redis.call('ZCARD', abort) > 0
-- How many arguments one call is given; Lua's stack takes a few thousand.
local BATCH = 500

local function remove(command, key, ids)
    for first = 1, #ids, BATCH do
        redis.call(command, key, unpack(ids, first, math.min(first + BATCH - 1, #ids)))
    end
end

-- A call from a script costs more than the command itself, so what can be asked for many jobs at once is.
local holders, owners = {}, {}
for first = 1, #ARGV, 9 * BATCH do
    local ids, names = {}, {}
    for i = first, math.min(first + 9 * (BATCH - 1), #ARGV), 9 do
        ids[#ids + 1] = ARGV[i]
        names[#names + 1] = 'arq:in-progress:' .. ARGV[i]
    end
    -- A key of another type counts as none.
    for i, holder in ipairs(redis.call('MGET', unpack(names))) do holders[ids[i]] = holder end
    for i, owner in ipairs(redis.call('HMGET', leases, unpack(ids))) do owners[ids[i]] = owner end
end

local function owned(id, queue, token)
    if owners[id] ~= token then return false end
    if holders[id] then return holders[id] == token end
    -- The lease ran out and none of ours took it; a stock worker may have ended the job and left no trace.
    return redis.call('ZSCORE', queue, id) or redis.call('EXISTS', 'arq:job:' .. id) == 1
end

-- Keys that are deleted for the whole group at the end.
local gone = {}

-- The job's place on the queue, and its marks in the hashes, are removed for the whole group at the end.
local function finish(id, action, result, life, taken, dead_letter)
    local job, tries = 'arq:job:' .. id, 'arq:retry:' .. id
    local in_progress, history = 'arq:in-progress:' .. id, 'arq:history:' .. id
    -- What needs memory comes first: if Redis is full it fails here, and the whole group is repeated.
    if life == -1 then
        redis.call('SET', 'arq:result:' .. id, result)
    elseif life > 0 then
        redis.call('SET', 'arq:result:' .. id, result, 'PX', life)
    end
    if action == 'dead' then
        redis.call('HSET', dead, id, dead_letter)
        if type(redis.pcall('ZADD', dead_index, now, id)) == 'table' then
            -- A key of another type in its place would end the script after its first writes, and each delivery
            -- would count as a crash. Dead letters that are not in the index are listed all the same.
            redis.call('DEL', dead_index)
            redis.call('ZADD', dead_index, now, id)
        end
    end
    -- A cron job's id stays taken for a while, so that a worker whose clock is late does not run it again.
    if taken > 0 then
        redis.call('SET', in_progress, 'ended', 'PX', taken)
    elseif taken < 0 then
        redis.call('PEXPIRE', in_progress, -taken)
    end
    gone[#gone + 1] = job
    gone[#gone + 1] = tries
    if taken == 0 then gone[#gone + 1] = in_progress end
    if action ~= 'dead' then gone[#gone + 1] = history end
end

local function give_back(id, queue, score, spend, history)
    redis.call('ZADD', queue, score, id)
    if history ~= '' then
        if type(redis.pcall('RPUSH', 'arq:history:' .. id, history)) == 'table' then
            redis.call('DEL', 'arq:history:' .. id)
            redis.call('RPUSH', 'arq:history:' .. id, history)
        end
        redis.call('LTRIM', 'arq:history:' .. id, -HISTORY_LENGTH, -1)
    end
    redis.call('DEL', 'arq:in-progress:' .. id)
    local tries = 'arq:retry:' .. id
    if spend == 'spend' then
        if type(redis.pcall('INCR', tries)) == 'table' then
            -- What is no number counts no tries.
            redis.call('SET', tries, 1)
        end
        redis.call('EXPIRE', tries, TRIES_TTL)
    elseif spend ~= 'keep' then
        redis.call('SET', tries, spend, 'EX', TRIES_TTL)
    end
    if score <= now then ring(queue) end
end

local applied, left, ended, seen = {}, {}, {}, {}
for i = 1, #ARGV, 9 do
    local id, queue, token, action = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    if not seen[id] and owned(id, queue, token) then
        seen[id] = true
        left[queue], ended[queue] = left[queue] or {}, ended[queue] or {}
        if action == 'retry' then
            give_back(id, queue, now + tonumber(ARGV[i + 6]), ARGV[i + 7], ARGV[i + 8])
        elseif action == 'return' then
            give_back(id, queue, tonumber(ARGV[i + 6]), ARGV[i + 7], '')
        else
            finish(id, action, ARGV[i + 4], tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6]), ARGV[i + 8])
            table.insert(ended[queue], id)
        end
        table.insert(left[queue], id)
        applied[#applied + 1] = 1
    else
        applied[#applied + 1] = 0
    end
end
for first = 1, #gone, BATCH do
    redis.call('DEL', unpack(gone, first, math.min(first + BATCH - 1, #gone)))
end
for queue, ids in pairs(left) do
    remove('ZREM', queue .. ':leased', ids)
    remove('HDEL', leases, ids)
    remove('ZREM', queue, ended[queue])
    if any_crash then remove('HDEL', crashes, ended[queue]) end
    if any_abort then remove('ZREM', abort, ended[queue]) end
end
return applied
