-- Reads what Redis knows of one job, in time that does not grow with the length of the queues. Changes no job.
--
-- KEYS  leases, crashes, abort, dead letters, their index, heartbeats, unknown functions, then the queues
-- ARGV  id, the most bytes of an envelope that are returned
-- Returns {now in ms, seconds of Redis's clock, payload ('missing', 'stored' or 'foreign'), bytes of it or -1, envelope, result, whether there is
--   one, tries, latest failures, dead letter, when it died, owner, holder, crashes, abort time, heartbeats, unknown
--   functions with times, what is paused, then for each queue that has the job {position from 1, score, due jobs before it, end of the
--   lease}}; what there is none of is nil
local leases, crashes, abort, dead, dead_index, workers, unknown = unpack(KEYS, 1, 7)
local id, largest = ARGV[1], tonumber(ARGV[2])
local now = clock_ms()
-- As many as finish.lua keeps.
local MOST_FAILURES = 20

-- The keys of a single job may be of another type, or not be readable for an older set of rules: then it has none.
local function own(command, ...)
    local value = redis.pcall(command, ...)
    if type(value) == 'table' and value.err then return false end
    return value
end

local kind, envelope, size = 'missing', false, -1
if redis.call('EXISTS', JOB .. id) == 1 then
    kind = 'stored'
    local length = redis.pcall('STRLEN', JOB .. id)
    if type(length) == 'number' then
        size = length
        if size <= largest then envelope = own('GET', JOB .. id) end
    elseif string.find(length.err, 'WRONGTYPE', 1, true) then
        kind = 'foreign'
    end
end
local failures = own('LRANGE', HISTORY .. id, -MOST_FAILURES, -1)
local answer = {
    now, redis.call('TIME')[1], kind, size, envelope,
    own('GET', RESULT .. id), redis.call('EXISTS', RESULT .. id), own('GET', TRIES .. id),
    failures or {},
    redis.call('HGET', dead, id), redis.call('ZSCORE', dead_index, id),
    redis.call('HGET', leases, id), own('GET', IN_PROGRESS .. id), redis.call('HGET', crashes, id),
    redis.call('ZSCORE', abort, id),
    redis.call('HGETALL', workers), redis.call('ZRANGE', unknown, 0, -1, 'WITHSCORES'),
    own('HGETALL', PAUSES),
}
for index = 8, #KEYS do
    local queue = KEYS[index]
    local score = redis.call('ZSCORE', queue, id)
    if score then
        local before = redis.call('ZCOUNT', queue, '-inf', '(' .. score)
        answer[#answer + 1] = {index - 7, score, before, redis.call('ZSCORE', queue .. LEASED_SUFFIX, id)}
    end
end
return answer
