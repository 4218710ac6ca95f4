-- Stores a group of completions in one atomic step. Each is applied only if the job still belongs to the
-- owner that reports it; a late runner changes nothing.
--
-- KEYS  leases, crashes, abort, dead letters, their index
-- ARGV  for each completion nine values:
--   id, lane, token, action, result, result's life in ms (0: do not store, -1: for ever),
--   due time (retry: delay in ms from now; return: the score to restore),
--   'spend' or 'keep' (whether the try counts),
--   extra (dead: the letter; retry: an entry of the job's history; done: ms to keep the in-progress key)
-- Actions: done, dead, retry (run again after a delay), return (hand back untouched).
-- Returns a list of 1 (applied) and 0 (refused), in order.
local leases, crashes, abort, dead, dead_index = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Enough to see a pattern; a job that waits out a long outage must not fill Redis with its history.
local HISTORY_LENGTH = 20

local function owned(id, lane, token)
    if redis.call('HGET', leases, id) ~= token then return false end
    local holder = redis.pcall('GET', 'arq:in-progress:' .. id)
    if holder then return holder == token end
    -- The lease ran out and none of ours took it; a stock worker may have ended the job and left no trace.
    return redis.call('ZSCORE', lane, id) or redis.call('EXISTS', 'arq:job:' .. id) == 1
end

local function finish(id, lane, action, result, life, extra)
    -- What needs memory comes first: if Redis is full it fails here, with nothing of this job changed.
    if life == -1 then
        redis.call('SET', 'arq:result:' .. id, result)
    elseif life > 0 then
        redis.call('SET', 'arq:result:' .. id, result, 'PX', life)
    end
    if action == 'dead' then
        redis.call('HSET', dead, id, extra)
        redis.call('ZADD', dead_index, now, id)
    else
        redis.call('DEL', 'arq:history:' .. id)
    end
    if action == 'done' and extra ~= '' then
        -- A cron job's id stays taken for a while, so that a slower worker does not run it again.
        redis.call('PEXPIRE', 'arq:in-progress:' .. id, extra)
    else
        redis.call('DEL', 'arq:in-progress:' .. id)
    end
    redis.call('DEL', 'arq:job:' .. id, 'arq:retry:' .. id)
    redis.call('ZREM', lane, id)
    redis.call('HDEL', crashes, id)
    redis.call('ZREM', abort, id)
end

local function give_back(id, lane, score, spend, history)
    redis.call('ZADD', lane, score, id)
    if history ~= '' then
        if type(redis.pcall('RPUSH', 'arq:history:' .. id, history)) == 'table' then
            redis.call('DEL', 'arq:history:' .. id)
            redis.call('RPUSH', 'arq:history:' .. id, history)
        end
        redis.call('LTRIM', 'arq:history:' .. id, -HISTORY_LENGTH, -1)
    end
    redis.call('DEL', 'arq:in-progress:' .. id)
    if spend == 'keep' then
        if redis.call('DECR', 'arq:retry:' .. id) <= 0 then redis.call('DEL', 'arq:retry:' .. id) end
    end
    if score <= now and redis.call('LLEN', lane .. ':wakeup') == 0 then
        redis.call('LPUSH', lane .. ':wakeup', 1)
    end
end

local applied = {}
for i = 1, #ARGV, 9 do
    local id, lane, token, action = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    if owned(id, lane, token) then
        if action == 'retry' then
            give_back(id, lane, now + tonumber(ARGV[i + 6]), ARGV[i + 7], ARGV[i + 8])
        elseif action == 'return' then
            give_back(id, lane, tonumber(ARGV[i + 6]), ARGV[i + 7], '')
        else
            finish(id, lane, action, ARGV[i + 4], tonumber(ARGV[i + 5]), ARGV[i + 8])
        end
        redis.call('ZREM', lane .. ':leased', id)
        redis.call('HDEL', leases, id)
        applied[#applied + 1] = 1
    else
        applied[#applied + 1] = 0
    end
end
return applied
