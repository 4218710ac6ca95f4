-- Returns the bytes that each dead letter takes with its payload, for a range of ranks in the index, oldest first.
--
-- KEYS  dead letters, their index
-- ARGV  first and last rank, which may count from the end
local dead, dead_index = KEYS[1], KEYS[2]
local sizes = {}
for i, id in ipairs(redis.call('ZRANGE', dead_index, ARGV[1], ARGV[2])) do
    sizes[i] = redis.call('HSTRLEN', dead, id) + redis.call('STRLEN', DEAD_PAYLOAD .. id)
end
return sizes
