-- Counts what is on the lanes, in time that does not grow with their length.
--
-- KEYS  dead letters, then the lanes
-- Returns {now in ms, dead, then for each lane {all, due, in flight, oldest due score or -1}}; a job in
-- flight whose owner has died counts as in flight until another worker takes it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {now, redis.call('HLEN', KEYS[1])}
for index = 2, #KEYS do
    local lane = KEYS[index]
    local due = redis.call('ZCOUNT', lane, '-inf', now)
    local in_flight = redis.call('ZCARD', lane .. ':leased')
    local orphaned = redis.call('ZCOUNT', lane .. ':leased', '-inf', now)
    local head = redis.call('ZRANGE', lane, 0, 0, 'WITHSCORES')
    local oldest = '-1'
    if head[2] and tonumber(head[2]) <= now then oldest = head[2] end
    answer[#answer + 1] = {redis.call('ZCARD', lane), math.max(due - orphaned, 0), in_flight, oldest}
end
return answer
