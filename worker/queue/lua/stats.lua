-- Counts what is on the queues, in time that does not grow with their length.
--
-- KEYS  dead letters, then the queues
-- Returns {now in ms, dead, then for each queue {all, due, in flight, oldest due score or -1}}; a job in
-- flight whose owner has died counts as in flight until another worker takes it.
local now = clock_ms()
-- Enough to look past the jobs of several dead workers.
local HEAD_LENGTH = 500
local answer = {now, redis.call('HLEN', KEYS[1])}
for index = 2, #KEYS do
    local queue = KEYS[index]
    local due = redis.call('ZCOUNT', queue, '-inf', now)
    local in_flight = redis.call('ZCARD', queue .. LEASED_SUFFIX)
    local orphaned = redis.call('ZCOUNT', queue .. LEASED_SUFFIX, '-inf', now)
    local waiting, oldest = math.max(due - orphaned, 0), '-1'
    if waiting > 0 then
        local head = redis.call('ZRANGE', queue, 0, math.min(orphaned, HEAD_LENGTH), 'WITHSCORES')
        for i = 1, #head, 2 do
            oldest = head[i + 1]
            if orphaned == 0 or not redis.call('ZSCORE', queue .. LEASED_SUFFIX, head[i]) then break end
        end
    end
    answer[#answer + 1] = {redis.call('ZCARD', queue), waiting, in_flight, oldest}
end
return answer
