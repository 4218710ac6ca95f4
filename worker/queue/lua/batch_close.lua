-- Seals or cancels a batch: it takes no more jobs, and ends once those that it has have ended. From this step on no
-- waiting job of a cancelled batch is claimed, and readers count them as dropped, however long it takes to drop them.
--
-- KEYS  clock, leases
-- ARGV  id of the batch; 'sealed', 'cancelled', or 'dropped': since it was cancelled each of its jobs was looked at
-- Returns 1, or 0 if there is no such batch. A batch that has ended stays as it is.
local id, mark = ARGV[1], ARGV[2]
write_although_full(KEYS[1])
local now = clock_ms()
local batch = read_batch(id)
if not batch then return 0 end
if mark == 'dropped' then
    redis.call('HDEL', BATCH .. id, 'to_drop')
    redis.pcall('ZREM', CANCELLED_BATCHES, id)
    return 1
end
if not batch.finished and not batch[mark] then
    batch[mark] = now
    redis.call('HSET', BATCH .. id, mark, string.format('%d', now))
    -- Should the caller die before it has dropped the jobs, a worker does so.
    if mark == 'cancelled' then
        redis.pcall('ZADD', BATCHES, 'XX', now, id)
        redis.pcall('ZADD', CANCELLED_BATCHES, now, id)
        -- At least so many wait: no more of its jobs run than there are leases.
        local leased = redis.pcall('HLEN', KEYS[2])
        local waiting = batch.total - ended_jobs(batch) - (type(leased) == 'number' and leased or 0)
        if waiting > 0 then redis.call('HSET', BATCH .. id, 'to_drop', string.format('%d', waiting)) end
    end
    end_batch(id, batch, now)
end
return 1
