-- What the scripts share that put dead letters back on their queues.

-- Puts one dead letter back as a new job with a full retry budget; its payload is here, unless an earlier version stored
-- it in the dead letter. Returns whether it did: not if it is no longer a dead letter, has no payload, or if a job of
-- this id waits or runs, whose payload must not be overwritten.
local function retry_dead(dead, dead_index, abort, id, queue, payload, due)
    local kept = DEAD_PAYLOAD .. id
    if
        redis.call('EXISTS', JOB .. id) == 1
        or payload == '' and redis.call('EXISTS', kept) == 0
        or redis.call('HDEL', dead, id) == 0
    then
        return false
    end
    redis.call('ZREM', dead_index, id)
    -- A request to abort was meant for the job that died.
    redis.call('ZREM', abort, id)
    -- The id of a dead cron job stays taken for a while, but an operator may retry it at once.
    redis.call('DEL', RESULT .. id, IN_PROGRESS .. id)
    if not move(kept, JOB .. id) then redis.call('SET', JOB .. id, payload) end
    redis.call('ZADD', queue, due, id)
    return true
end
