-- Returns which of these jobs nobody needs to wait for: those that have ended or are not known. If asked to, it notes
-- for the others that a producer waits for them, so that finish.lua notifies it when they end.
--
-- KEYS  dead letters
-- ARGV  the producer's name, for how many ms the note is kept (0: nothing is noted), then the ids, at most 500
-- Returns the positions of those jobs, from 1; below 0 if the job has ended although its note is still there: whoever
--   ended it sends no notices.
local dead = KEYS[1]
local waiter, life = ARGV[1], tonumber(ARGV[2])
-- A name has 16 characters. More names than this would be the work of another program.
local LONGEST_NAMES = 1000

local ids, payloads, results, notes = {}, {}, {}, {}
for i = 3, #ARGV do
    local id = ARGV[i]
    ids[#ids + 1] = id
    payloads[#payloads + 1] = JOB .. id
    results[#results + 1] = RESULT .. id
    notes[#notes + 1] = WAITER .. id
end

local function has_ended(i, dead_letter)
    return dead_letter or redis.call('EXISTS', payloads[i]) == 0 or redis.call('EXISTS', results[i]) == 1
end

-- Nothing that fails here, for want of memory or of rights, may keep the answer from the producer.
local function note(i, names)
    if not names then
        names = waiter
    elseif not string.find(' ' .. names .. ' ', ' ' .. waiter .. ' ', 1, true) then
        names = #names < LONGEST_NAMES and names .. ' ' .. waiter or waiter
    end
    redis.pcall('SET', notes[i], names, 'PX', life)
end

-- A call from a script costs more than the command itself, and usually none of the jobs has ended.
local dead_letters = redis.call('HLEN', dead) > 0 and redis.call('HMGET', dead, unpack(ids)) or {}
local any_dead = false
for _, dead_letter in ipairs(dead_letters) do any_dead = any_dead or dead_letter end
local none_ended = not any_dead
    and redis.call('EXISTS', unpack(payloads)) == #ids
    and redis.call('EXISTS', unpack(results)) == 0
if none_ended and life == 0 then return {} end

local names = redis.call('MGET', unpack(notes))
local over, waits = {}, false
for i = 1, #ids do
    if not none_ended and has_ended(i, dead_letters[i]) then
        over[#over + 1] = names[i] and -i or i
        if names[i] then redis.pcall('DEL', notes[i]) end
    elseif life > 0 then
        waits = true
        note(i, names[i])
    end
end
if waits then redis.pcall('SET', WAITERS, 1, 'PX', life) end
return over
