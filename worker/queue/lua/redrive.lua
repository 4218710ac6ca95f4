-- Puts dead letters back on their queues as new jobs with a full retry budget.
--
-- KEYS  dead letters, their index, abort
-- ARGV  for each dead letter four values: id, queue, payload (of an earlier version, otherwise empty: it is here),
--       delay in ms
-- Returns for each: 1 (retried) or 0 (no longer a dead letter, or a job of this id waits or runs, whose payload must
-- not be overwritten).
local dead, dead_index, abort = KEYS[1], KEYS[2], KEYS[3]
local now = clock_ms()
local answers, queues = {}, {}
for i = 1, #ARGV, 4 do
    local id, queue, payload, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    -- Fails before anything is written, if the queue is of another type.
    redis.call('ZCARD', queue)
    local kept = DEAD_PAYLOAD .. id
    if
        redis.call('EXISTS', JOB .. id) == 0
        and (payload ~= '' or redis.call('EXISTS', kept) == 1)
        and redis.call('HDEL', dead, id) == 1
    then
        redis.call('ZREM', dead_index, id)
        -- A request to abort was meant for the job that died.
        redis.call('ZREM', abort, id)
        -- The id of a dead cron job stays taken for a while, but an operator may retry it at once.
        redis.call('DEL', RESULT .. id, IN_PROGRESS .. id)
        if not move(kept, JOB .. id) then redis.call('SET', JOB .. id, payload) end
        redis.call('ZADD', queue, now + delay, id)
        queues[queue] = true
        answers[#answers + 1] = 1
    else
        answers[#answers + 1] = 0
    end
end
for queue in pairs(queues) do
    announce(queue)
end
return answers
