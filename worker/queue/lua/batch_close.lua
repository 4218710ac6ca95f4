-- Seals or cancels a batch: it takes no more jobs, and ends once those that it has have ended.
--
-- KEYS  clock
-- ARGV  id of the batch, 'sealed' or 'cancelled'
-- Returns 1, or 0 if there is no such batch. A batch that has ended stays as it is.
local id, mark = ARGV[1], ARGV[2]
write_although_full(KEYS[1])
local now = clock_ms()
local batch = read_batch(id)
if not batch then return 0 end
if not batch.finished and not batch[mark] then
    batch[mark] = now
    redis.call('HSET', BATCH .. id, mark, string.format('%d', now))
    -- Should the caller die before it has dropped the jobs, a worker does so.
    if mark == 'cancelled' then redis.pcall('ZADD', BATCHES, 'XX', now, id) end
    end_batch(id, batch, now)
end
return 1
