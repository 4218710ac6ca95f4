-- Adds numbers to the current interval of each window of the rates of jobs.
--
-- ARGV  how many intervals a window has; how many windows there are; for each the length of its intervals in ms; then fields, each with what is added to it
-- An interval expires when no window reaches back to it, and its fields are limited in number.
local now = clock_ms()
local windows = tonumber(ARGV[2])
local MOST_FIELDS = 4000
local names, added = {}, {}
for i = windows + 3, #ARGV, 2 do
    names[#names + 1] = ARGV[i]
    added[#added + 1] = tonumber(ARGV[i + 1]) or 0
end
for window = 1, windows do
    local length = tonumber(ARGV[window + 2])
    local key = RATES .. string.format('%.0f:%.0f', length, math.floor(now / length))
    local stored = redis.pcall('HMGET', key, unpack(names))
    -- A key of another type is another program's: the rates lack this interval.
    if not stored.err then
        local room, changes = MOST_FIELDS - redis.call('HLEN', key), {}
        for i = 1, #names do
            if not stored[i] then room = room - 1 end
            if stored[i] or room >= 0 then
                changes[#changes + 1] = names[i]
                changes[#changes + 1] = string.format('%.0f', (tonumber(stored[i]) or 0) + added[i])
            end
        end
        if #changes > 0 then
            redis.call('HSET', key, unpack(changes))
            redis.call('PEXPIRE', key, length * (tonumber(ARGV[1]) + 2))
        end
    end
end
return now
