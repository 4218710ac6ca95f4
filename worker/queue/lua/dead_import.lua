-- Stores dead letters that were exported, unless there is one, or a job, of their id.
--
-- KEYS  dead letters, their index
-- ARGV  for each dead letter: id, dead letter, payload (empty: it has none), how many entries its history has, and those
-- Returns how many were stored.
local dead, dead_index = KEYS[1], KEYS[2]
local now, count, i = clock_ms(), 0, 1
while i <= #ARGV do
    local id, dead_letter, payload, entries = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    if redis.call('EXISTS', JOB .. id) == 0 and redis.call('HEXISTS', dead, id) == 0 then
        redis.call('HSET', dead, id, dead_letter)
        redis.call('ZADD', dead_index, now, id)
        redis.call('DEL', HISTORY .. id)
        if payload ~= '' then redis.call('SET', DEAD_PAYLOAD .. id, payload) end
        for entry = i + 4, i + 3 + entries do redis.call('RPUSH', HISTORY .. id, ARGV[entry]) end
        count = count + 1
    end
    i = i + 4 + entries
end
return count
