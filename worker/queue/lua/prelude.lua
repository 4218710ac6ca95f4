-- What all scripts share. It stands in front of each of them, because a script cannot call another.
-- The names of keys (JOB, IN_PROGRESS, ...) stand before it: see worker/queue/script_source.py.

-- The most that the queues' time may be ahead of Redis's clock, ten years; more was not written by this function.
local LONGEST_AHEAD = 10 * 365 * 86400000
-- While the queues' time is ahead, it passes at this pace, until Redis's clock has caught up with it.
local PACE = 0.9
-- How often the time is noted: what was due stays due but for this long.
local NOTE_EVERY = 1000

-- The queues' time in milliseconds since 1970. It alone decides what is due and when a lease ends. It is the time of
-- Redis's clock, but does not run backwards: if that clock is set back, it goes on from where it was last noted.
-- worker/queue/clock.py has the same rule.
local function clock_ms()
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    -- Not every producer may read or write this key, and it may be of another type.
    local stored = redis.pcall('HMGET', CLOCK, 'noted', 'ahead')
    local noted, ahead = stored[1] and tonumber(stored[1]), stored[2] and tonumber(stored[2])
    -- Written like this, a value that is not a number is not believed either.
    if not (noted and ahead and ahead >= 0 and noted + ahead - now <= LONGEST_AHEAD) then noted, ahead = 0, 0 end
    local queue_time = math.max(now, math.floor(noted + ahead + PACE * math.max(now - noted, 0)))
    if now < noted or now - noted >= NOTE_EVERY then
        redis.pcall('HSET', CLOCK, 'noted', now, 'ahead', queue_time - now)
    end
    return queue_time
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

-- If no worker called for this share of a lease, Redis counts as having been away. Owners renew after every quarter of a
-- lease (worker/engine/lease_renewer.py), so after a shorter silence they still renew before any lease ends.
local SILENCE = 3 / 8

-- Notes that a worker called, and when Redis was last back after it had been down, frozen or failed over.
local function note_alive(clock, lease, now)
    local seen = math.min(tonumber(redis.call('HGET', clock, 'seen')) or now, now)
    if now - seen > SILENCE * lease then redis.call('HSET', clock, 'resumed', now) end
    redis.call('HSET', clock, 'seen', now)
end

-- While Redis is full it refuses a command that needs memory only as a script's first write. A script that frees
-- memory, or needs next to none, begins with this write, which needs none and changes nothing.
local function write_although_full(clock) redis.pcall('HDEL', clock, '') end

-- Moves a string without copying it, and lets it live until it is deleted. Returns whether there was one.
local function move(from, to)
    if redis.call('EXISTS', from) == 0 then return false end
    if redis.pcall('RENAME', from, to).err then
        -- The rules of a user may be from before this script needed RENAME.
        redis.call('SET', to, redis.call('GET', from))
        redis.call('DEL', from)
    else
        -- arq's own enqueue lets payloads expire. The rules of a user may lack PERSIST, and this is not the first write.
        redis.pcall('PERSIST', to)
    end
    return true
end

-- Whether `token` owns a job. `owner` is the job's entry in the hash of leases, `holder` the value of its in-progress
-- key, or false if that has expired.
local function owns(token, owner, holder, queue, id)
    if owner ~= token then return false end
    if holder then return holder == token end
    -- The lease ended and no other worker took it; a stock arq worker may have ended the job and left no trace.
    return redis.call('ZSCORE', queue, id) or redis.call('EXISTS', JOB .. id) == 1
end

-- Reads an entry of the hash of crashes, "2 TOKEN -TOKEN": how many crashes count, and for each lost lease its owner's
-- token, with a "-" if that owner was heard of again. Anyone may have written it: what is not such an entry counts as
-- none.
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
    local first = string.find(owners .. ' ', ' ' .. token .. ' ', 1, true)
    if not first then return end
    owners = string.sub(owners, 1, first) .. '-' .. string.sub(owners, first + 1)
    redis.call('HSET', crashes, id, math.max(count - 1, 0) .. owners)
end

-- The digest of what a job does, which a producer that was given an idempotency key writes as the first field of an
-- envelope, and a worker as that of a result; nil if there is none. Only there: payloads may contain the same text.
local function digest_of(message)
    -- Most messages have none, and this is the fastest way to see it: a "d", or the "2" of a signature.
    local ninth = string.byte(message, 9)
    if ninth ~= 100 and ninth ~= 50 then return nil end
    local body = ninth == 50 and string.match(message, '^hmac%-sha256:[^:]*:[^:]*:()') or 1
    local digest = string.match(message, '^{"v":1,"d":"([%w_-]+)"', body)
    return digest and #digest == 16 and digest or nil
end

