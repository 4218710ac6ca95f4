-- Returns the batch that a worker should look at next, so that no other worker looks at it meanwhile; an empty string if
-- there is none.
--
-- KEYS  batches, clock
local index = KEYS[1]
write_although_full(KEYS[2])
local now = clock_ms()
local id = redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, 1)[1]
if id then
    redis.call('ZADD', index, 'XX', now + SILENCE, id)
    return id
end
-- Nobody claims the jobs of a cancelled batch before they were looked at, so it is found even if the index is damaged.
local cancelled = redis.pcall('ZRANGEBYSCORE', CANCELLED_BATCHES, '-inf', now - SILENCE, 'LIMIT', 0, 1)[1]
if not cancelled then return '' end
redis.call('ZADD', CANCELLED_BATCHES, 'XX', now, cancelled)
return cancelled
