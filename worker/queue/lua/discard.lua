-- Deletes dead letters that are kept elsewhere now, unless they have changed since they were read.
--
-- KEYS  dead letters, their index
-- ARGV  for each dead letter: id, what was read (empty if there was an index entry only)
-- Returns how many dead letters were deleted.
local dead, dead_index = KEYS[1], KEYS[2]
local count = 0
for i = 1, #ARGV, 2 do
    local id = ARGV[i]
    if ARGV[i + 1] == '' then
        -- A job of this id may have been retried since, and its history is its own.
        if redis.call('HEXISTS', dead, id) == 0 then redis.call('ZREM', dead_index, id) end
    elseif redis.call('HGET', dead, id) == ARGV[i + 1] then
        count = count + redis.call('HDEL', dead, id)
        redis.call('ZREM', dead_index, id)
        redis.call('DEL', HISTORY .. id, DEAD_PAYLOAD .. id)
    end
end
return count
