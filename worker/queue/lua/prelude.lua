-- What all scripts share. It stands in front of each of them, because a script cannot call another.
-- The names of keys (JOB, IN_PROGRESS, ...) stand before it: see worker/queue/scripts.py.

-- Redis's time in milliseconds since 1970. It alone decides what is due.
local function clock_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Announces work on a queue: wakes one worker that waits for it, and no more than one.
local function announce(queue)
    local wakeup = queue .. WAKEUP_SUFFIX
    local waiting = redis.pcall('LLEN', wakeup)
    if type(waiting) == 'table' then
        -- A key of another type would end the script after its first writes.
        redis.call('DEL', wakeup)
        waiting = 0
    end
    if waiting == 0 then redis.call('LPUSH', wakeup, 1) end
end

-- Notes that a worker called, and when Redis was last back after it had been down or frozen for longer than a lease.
local function note_alive(clock, lease, now)
    local seen = math.min(tonumber(redis.call('HGET', clock, 'seen')) or now, now)
    if now - seen > lease then redis.call('HSET', clock, 'resumed', now) end
    redis.call('HSET', clock, 'seen', now)
end

-- Whether `token` owns a job. `owner` is the job's entry in the hash of leases, `holder` the value of its in-progress
-- key, or false if that has expired.
local function owns(token, owner, holder, queue, id)
    if owner ~= token then return false end
    if holder then return holder == token end
    -- The lease ended and no other worker took it; a stock arq worker may have ended the job and left no trace.
    return redis.call('ZSCORE', queue, id) or redis.call('EXISTS', JOB .. id) == 1
end

-- Reads an entry of the hash of crashes, "2 TOKEN TOKEN": how many crashes count, and for each lost lease its owner's
-- token, or "-" if that owner was heard of again. Anyone may have written it: what is not such an entry counts as none.
local function read_crashes(text)
    local count, owners = string.match(text or '', '^(%d+)(.*)$')
    if not count or owners ~= '' and string.sub(owners, 1, 1) ~= ' ' then return 0, '' end
    return math.min(tonumber(count), 1000000), owners
end

-- Takes back the crash that was counted when the lease of `token` ended: its owner calls, so it did not die.
local function take_back_crash(crashes, id, token)
    local entry = redis.pcall('HGET', crashes, id)
    -- A key of another type must not keep leases from being renewed.
    if type(entry) ~= 'string' then return end
    local count, owners = read_crashes(entry)
    local first, last = string.find(owners .. ' ', ' ' .. token .. ' ', 1, true)
    if not first then return end
    owners = string.sub(owners, 1, first) .. '-' .. string.sub(owners, last)
    redis.call('HSET', crashes, id, math.max(count - 1, 0) .. owners)
end

