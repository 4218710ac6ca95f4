-- Replaces the payload of a dead letter, unless the dead letter or its payload has changed since they were read.
--
-- KEYS  dead letters
-- ARGV  id, the dead letter as it was read, the payload as it was read (empty if the dead letter itself has it, as
--       those of earlier versions), the new dead letter, the new payload
-- Returns 1 (replaced) or 0 (changed meanwhile).
local id = ARGV[1]
local kept = redis.call('GET', DEAD_PAYLOAD .. id) or ''
if redis.call('HGET', KEYS[1], id) ~= ARGV[2] or kept ~= ARGV[3] then return 0 end
redis.call('SET', DEAD_PAYLOAD .. id, ARGV[5])
redis.call('HSET', KEYS[1], id, ARGV[4])
return 1
