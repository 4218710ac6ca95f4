-- Adds up the rates of jobs in each window, in time that depends neither on the queues nor on the number of workers.
--
-- ARGV  how many intervals a window has; for each window the length of its intervals in ms
-- Returns for each window {ms that it covers, field, sum, field, sum, ...}
local now = clock_ms()
local answer = {}
for window = 1, #ARGV - 1 do
    local length = tonumber(ARGV[window + 1])
    local last = math.floor(now / length)
    local first, sums = last - tonumber(ARGV[1]), {}
    for interval = first, last do
        local stored = redis.pcall('HGETALL', RATES .. string.format('%.0f:%.0f', length, interval))
        -- Anyone may have written such a key: one of another type has no fields, what is not a number counts as none.
        for i = 1, #stored, 2 do
            sums[stored[i]] = (sums[stored[i]] or 0) + (tonumber(stored[i + 1]) or 0)
        end
    end
    local row = {now - first * length}
    for field, sum in pairs(sums) do
        row[#row + 1] = field
        row[#row + 1] = string.format('%.0f', sum)
    end
    answer[window] = row
end
return answer
