-- Put in front of every script, since a script cannot call another.
--
-- Says that a queue has work: wakes one worker that waits for it, and no more than one.
local function ring(queue)
    local bell = queue .. ':wakeup'
    local waiting = redis.pcall('LLEN', bell)
    if type(waiting) == 'table' then
        -- A key of another type in its place would end the script after its first writes.
        redis.call('DEL', bell)
        waiting = 0
    end
    if waiting == 0 then redis.call('LPUSH', bell, 1) end
end

