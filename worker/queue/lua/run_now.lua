-- Lets a deferred job be due now, unless it has left its queue meanwhile or a worker has claimed it: then its score is the
-- end of its lease.
--
-- KEYS  queue
-- ARGV  id
-- Returns 1 (due now) or 0 (not deferred).
local queue, id = KEYS[1], ARGV[1]
local now = clock_ms()
local due = redis.call('ZSCORE', queue, id)
if not due or tonumber(due) <= now or redis.call('ZSCORE', queue .. LEASED_SUFFIX, id) then return 0 end
redis.call('ZADD', queue, 'XX', now, id)
announce(queue)
return 1
