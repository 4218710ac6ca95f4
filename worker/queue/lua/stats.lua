-- Counts what is on the lanes, in time that does not grow with their length.
--
-- KEYS  dead letters, then the lanes
-- Returns {now in ms, dead, then for each lane {all, due, in flight, oldest due score or -1}}; a job in
-- flight whose owner has died counts as in flight until another worker takes it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Enough to look past the jobs of several dead workers.
local HEAD_LENGTH = 500
local answer = {now, redis.call('HLEN', KEYS[1])}
for index = 2, #KEYS do
    local lane = KEYS[index]
    local due = redis.call('ZCOUNT', lane, '-inf', now)
    local in_flight = redis.call('ZCARD', lane .. ':leased')
    local orphaned = redis.call('ZCOUNT', lane .. ':leased', '-inf', now)
    local waiting, oldest = math.max(due - orphaned, 0), '-1'
    if waiting > 0 then
        local head = redis.call('ZRANGE', lane, 0, math.min(orphaned, HEAD_LENGTH), 'WITHSCORES')
        for i = 1, #head, 2 do
            oldest = head[i + 1]
            if orphaned == 0 or not redis.call('ZSCORE', lane .. ':leased', head[i]) then break end
        end
    end
    answer[#answer + 1] = {redis.call('ZCARD', lane), waiting, in_flight, oldest}
end
return answer
