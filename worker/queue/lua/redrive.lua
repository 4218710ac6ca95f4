-- Puts dead letters back on their queues as new jobs with a full retry budget.
--
-- KEYS  dead letters, their index, abort
-- ARGV  for each dead letter four values: id, queue, payload (of an earlier version, otherwise empty: it is here),
--       delay in ms
-- Returns for each: 1 (retried) or 0 (see dead.lua).
local dead, dead_index, abort = KEYS[1], KEYS[2], KEYS[3]
local now = clock_ms()
local answers, queues = {}, {}
for i = 1, #ARGV, 4 do
    local id, queue, payload, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    -- Fails before anything is written, if the queue is of another type.
    redis.call('ZCARD', queue)
    local retried = retry_dead(dead, dead_index, abort, id, queue, payload, now + delay)
    if retried then queues[queue] = true end
    answers[#answers + 1] = retried and 1 or 0
end
for queue in pairs(queues) do
    announce(queue)
end
return answers
