-- Makes a batch, unless it exists.
--
-- KEYS  batches
-- ARGV  id of the batch; id, queue and envelope of its completion job, empty if there is none
-- Returns 1 (made now) or 0 (it exists, and stays as it is).
local index, id, completion, queue, envelope = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('EXISTS', BATCH .. id) == 1 then return 0 end
local now = clock_ms()
-- These fail before anything is written if a key is of another type.
redis.call('ZCARD', index)
if completion ~= '' then redis.call('ZCARD', queue) end
-- First, because a full Redis refuses what needs memory only as a script's first write.
redis.call('HSET', BATCH .. id, 'total', 0, 'created', string.format('%d', now), 'completion', completion, 'queue', queue)
-- Without its hash there is no batch, and what else is left of one is of an earlier one of this id.
redis.call('DEL', BATCH_JOBS .. id, BATCH_ORDER .. id, BATCH_COMPLETION .. id)
if completion ~= '' then redis.call('SET', BATCH_COMPLETION .. id, envelope) end
redis.call('ZADD', index, now + SILENCE, id)
return 1
