-- How many jobs of a queue all workers together may claim in a second: a token bucket for each queue that has a rate.
-- It stands in front of claim.lua, which takes tokens and jobs in one step.
--
-- A token comes every 1000 / rate ms. The bucket is one number, up to which instant of the queues' time its tokens are
-- spent; what has passed since are the tokens that there are.

-- The most that a bucket holds, as the time in which it comes: a tenth of a second's jobs, and one job at least. What
-- comes while a worker is late to claim is lost beyond that; what was saved while no job was due starts at once.
local MOST_MS = 100
-- While jobs wait for tokens, a worker claims again when those of so many ms have come, not at each of them.
local TOGETHER_MS = 25
-- The part of a token that rounding may cost.
local ROUNDING = 0.001

-- Returns how many tokens a queue has, and up to which instant they are spent.
local function tokens(queue, rate, now)
    local key, each = queue .. RATE_SUFFIX, 1000 / rate
    local stored = redis.pcall('GET', key)
    if type(stored) == 'table' then
        -- A key of another type. Without the permission to delete it, the claim ends here, before it has taken jobs.
        redis.call('DEL', key)
        stored = false
    end
    -- The bucket is full if it has been forgotten, as it is when it has been full for a while. So it is if another program
    -- wrote to it: an instant in the future would let no job start until then.
    local full = now - math.max(MOST_MS, each)
    local spent_to = stored and tonumber(stored)
    if not (spent_to and spent_to > full and spent_to <= now) then spent_to = full end
    return math.floor((now - spent_to) / each + ROUNDING), spent_to
end

-- Takes tokens; returns up to which instant they are spent then.
local function spend(queue, rate, spent_to, count)
    local each = 1000 / rate
    spent_to = spent_to + count * each
    local life = string.format('%.0f', math.ceil(2 * math.max(MOST_MS, each)))
    redis.call('SET', queue .. RATE_SUFFIX, string.format('%.3f', spent_to), 'PX', life)
    return spent_to
end

-- When a worker is to claim again from a queue that has jobs, but no tokens.
local function next_tokens(rate, spent_to) return math.ceil(spent_to + math.max(TOGETHER_MS, 1000 / rate)) end
