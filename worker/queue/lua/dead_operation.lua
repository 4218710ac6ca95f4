-- Takes one step of an operation on dead letters, or changes its state. Dead letters and progress change together, so
-- that a command that is killed leaves an exact count, and each dead letter is retried or discarded once.
--
-- KEYS  dead letters, their index, abort, the operation
-- ARGV  token of the command that runs it, what, for how many seconds the operation is kept; then
--       what = retry, discard: the time in ms after which a job died too late to be meant, and for each dead letter
--         three values: id, queue, payload (of an earlier version, otherwise empty: it is here)
--       what = finish: how many dead letters were left out
--       what = take: nothing (another command continues it); what = stop: nothing
-- Returns {state, done, later}. The state is gone, finished, stopped, taken (by another command) or running. A step
-- changes dead letters only in that last state; later is how many of its dead letters died after the preview.
local dead, dead_index, abort, operation = unpack(KEYS, 1, 4)
local runner, what, kept_s = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = clock_ms()
local state = redis.call('HGET', operation, 'state')
local done = tonumber(redis.call('HGET', operation, 'done') or '') or 0
local later = 0
if not state then return {'gone', 0, 0} end

if what == 'stop' then
    if state == 'running' then redis.call('HSET', operation, 'state', 'stopped') end
    return {state, done, later}
end
if what == 'take' then
    if state ~= 'finished' then
        redis.call('HSET', operation, 'state', 'running', 'runner', runner, 'seen', now)
    end
    return {state, done, later}
end
if state ~= 'running' then return {state, done, later} end
if redis.call('HGET', operation, 'runner') ~= runner then return {'taken', done, later} end
redis.call('HSET', operation, 'seen', now)
redis.call('EXPIRE', operation, kept_s)
if what == 'finish' then
    redis.call('HSET', operation, 'state', 'finished', 'left_out', ARGV[4])
    return {'finished', done, later}
end

local queues = {}
for i = 5, #ARGV, 3 do
    local id, queue, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local died = redis.call('ZSCORE', dead_index, id)
    -- One that was retried since, and died again, is another dead letter.
    if died and tonumber(died) > tonumber(ARGV[4]) then
        later = later + 1
    elseif what == 'retry' then
        -- Fails before anything is written, if the queue is of another type.
        if not queues[queue] then redis.call('ZCARD', queue) end
        if retry_dead(dead, dead_index, abort, id, queue, payload, now) then
            queues[queue] = true
            done = done + 1
        end
    elseif redis.call('HDEL', dead, id) == 1 then
        redis.call('ZREM', dead_index, id)
        redis.call('DEL', HISTORY .. id, DEAD_PAYLOAD .. id)
        done = done + 1
    end
end
redis.call('HSET', operation, 'done', done)
for queue in pairs(queues) do announce(queue) end
return {'running', done, later}
