-- Stores a group of completions in one atomic step. Each is applied only if its sender still owns the job.
--
-- A completion that comes after its lease has ended proves that its sender lived. It takes back the crash that was
-- counted for the sender, and a dead letter that said the job had killed its workers. It ends the job only if the job
-- has lost several leases: otherwise owners that are each held up for longer than a lease would take the job from one
-- another for ever.
--
-- KEYS  leases, crashes, abort, dead letters, their index, clock
-- ARGV  1 if the group is to be stored even if Redis is full, otherwise 0; what the history keeps of the jobs that end,
--   empty without a history: see worker/contract/job_ends.py; then for completions that follow one another and share
--   them, how many they are and eight values:
--   queue, token, action, result's life in ms (0: do not store, -1: for ever),
--   due (retry: delay in ms from now; return: the score to restore; done and dead: for how many ms the id stays
--   taken: above 0, a job that is enqueued under it is dropped by the claim; below 0, it waits),
--   'spend' or 'keep' (whether the try counts), or how many tries there were by the producer's count;
--   done and dead: 'move' or 'drop' (what becomes of a dead job's payload),
--   record (dead: the dead letter; retry: an entry of the job's history),
--   the job's batch (empty: none): its id, then for a job that has ended its outcome, and what it counts, "created=990"
--   and after these, for each of them its id and its result
-- Actions: done, dead, retry (run again after a delay), return (hand back untouched). A job of a cancelled batch does not
-- run again: it is dropped.
-- Returns a list of 1 (applied), 2 (applied, but the payload to move had gone) and 0 (refused), in order.
local leases, crashes, abort, dead, dead_index, clock = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
if ARGV[1] == '1' then write_although_full(clock) end
local now = clock_ms()
-- Enough to see a pattern; a job that waits through a long outage must not fill Redis with its history.
local HISTORY_LENGTH = 20
-- Seconds after which a counter of tries expires that was left over when a job was deleted by hand.
local TRIES_TTL = 30 * 86400

-- Milliseconds for which a key that is used for another act is refused after a job has ended, however short its outcome
-- is kept. A dead letter waits for an operator.
local DIGEST_LIFE = {done = 86400000, dead = 30 * 86400000}

local SEVERAL_LOSSES = 3
-- Entries of the stream of ended jobs, of up to 100 jobs each. A worker moves them to MongoDB long before.
local MOST_ENDED = 10000

-- Seconds for which the ids of ended jobs wait for their producer, which reads them long before that.
local NOTICES_TTL = 60

-- How many values there are before the ids and results of completions: their number, and what they share.
local SHARED_VALUES = 9

-- Usually these are empty.
local any_crash = redis.call('HLEN', crashes) > 0
local any_abort = redis.call('ZCARD', abort) > 0
local any_waiter = redis.call('EXISTS', WAITERS) == 1

local function remove(command, key, ids)
    for first = 1, #ids, PER_CALL do
        redis.call(command, key, unpack(ids, first, math.min(first + PER_CALL - 1, #ids)))
    end
end

-- A call from a script costs more than the command itself, so jobs are looked up together.
-- Of each completion, by its position.
local all_ids, in_progress, holders, owners = {}, {}, {}, {}
do
    local i = 3
    while i < #ARGV do
        local after = i + SHARED_VALUES + 2 * tonumber(ARGV[i])
        for at = i + SHARED_VALUES, after - 1, 2 do
            local id = ARGV[at]
            all_ids[#all_ids + 1] = id
            in_progress[#in_progress + 1] = IN_PROGRESS .. id
        end
        i = after
    end
end
for first = 1, #all_ids, PER_CALL do
    local last = math.min(first + PER_CALL - 1, #all_ids)
    -- MGET answers nil for a key of another type, which counts as none.
    for i, holder in ipairs(redis.call('MGET', unpack(in_progress, first, last))) do
        holders[first + i - 1] = holder
    end
    for i, owner in ipairs(redis.call('HMGET', leases, unpack(all_ids, first, last))) do
        owners[first + i - 1] = owner
    end
end

-- Keys that are deleted for the whole group at the end.
local gone = {}

-- The job's place on the queue, and its marks in the hashes, are removed for the whole group at the end.
-- Returns whether the payload of a dead letter was there.
local function finish(id, in_progress, action, result, life, taken, payload, dead_letter)
    local job = JOB .. id
    -- Commands that need memory come first: if Redis is full they fail here, and the whole group is repeated.
    if life == '-1' then
        redis.call('SET', RESULT .. id, result)
    elseif life ~= '0' then
        redis.call('SET', RESULT .. id, result, 'PX', life)
    end
    if action == 'dead' then
        redis.call('HSET', dead, id, dead_letter)
        if type(redis.pcall('ZADD', dead_index, now, id)) == 'table' then
            -- A key of another type in its place would end the script after its first writes, and each delivery
            -- would count as a crash. Dead letters that are not in the index are listed all the same.
            redis.call('DEL', dead_index)
            redis.call('ZADD', dead_index, now, id)
        end
    end
    -- A cron job's id stays taken for a while, so that a worker whose clock is late does not run it again.
    if taken > 0 then
        redis.call('SET', in_progress, 'ended', 'PX', taken)
    elseif taken < 0 then
        redis.call('PEXPIRE', in_progress, -taken)
    end
    gone[#gone + 1] = job
    gone[#gone + 1] = TRIES .. id
    if taken == 0 then gone[#gone + 1] = in_progress end
    if action ~= 'dead' then gone[#gone + 1] = HISTORY .. id end
    if action ~= 'dead' then return true end
    if payload == 'drop' then
        -- An earlier dead letter of this id may have left one.
        gone[#gone + 1] = DEAD_PAYLOAD .. id
        return true
    end
    -- The payload moves and is not copied, here or over the network: refused jobs must not fill Redis.
    return move(job, DEAD_PAYLOAD .. id)
end

local function requeue(id, queue, score, spend, history)
    redis.call('ZADD', queue, score, id)
    if history ~= '' then
        if type(redis.pcall('RPUSH', HISTORY .. id, history)) == 'table' then
            redis.call('DEL', HISTORY .. id)
            redis.call('RPUSH', HISTORY .. id, history)
        end
        redis.call('LTRIM', HISTORY .. id, -HISTORY_LENGTH, -1)
    end
    redis.call('DEL', IN_PROGRESS .. id)
    local tries = TRIES .. id
    if spend == 'spend' then
        if type(redis.pcall('INCR', tries)) == 'table' then
            -- A value that is not a number counts as no tries.
            redis.call('SET', tries, 1)
        end
        redis.call('EXPIRE', tries, TRIES_TTL)
    elseif spend ~= 'keep' then
        redis.call('SET', tries, spend, 'EX', TRIES_TTL)
    end
    if score <= now then announce(queue) end
end

-- Whether a job is a dead letter that names the late sender among the owners whose leases ended: see dead_letter.py.
local function is_dead_because_of(id, token)
    local dead_letter = redis.pcall('HGET', dead, id)
    return type(dead_letter) == 'string'
        and string.find(dead_letter, '"' .. token .. '"', 1, true)
        and redis.call('EXISTS', JOB .. id) == 0
end

-- Whether a job has lost several leases, one of them the late sender's.
local function keeps_losing_leases(id, token)
    local entry = any_crash and redis.pcall('HGET', crashes, id)
    if type(entry) ~= 'string' then return false end
    local _, owners = read_crashes(entry)
    local _, losses = string.gsub(owners, '%S+', '')
    owners = owners .. ' '
    return losses >= SEVERAL_LOSSES
        and (string.find(owners, ' ' .. token .. ' ', 1, true) or string.find(owners, ' -' .. token .. ' ', 1, true))
end

-- Whether an earlier call stored this dead letter, answered 2, and nobody has stored its payload since: the caller
-- repeats the group if that fails.
local function lacks_payload(id, dead_letter)
    return redis.pcall('HGET', dead, id) == dead_letter
        and redis.call('EXISTS', JOB .. id, DEAD_PAYLOAD .. id) == 0
end

-- Whether a job that would run again is of a batch that was cancelled. A dead letter that was retried since is wanted.
local function is_unwanted(entry, id)
    local batch = entry ~= '' and read_batch(entry)
    if not batch or not batch.cancelled then return false end
    local state = read_states(entry, {id})[id]
    return state and not outcome_of(state)
end

-- Keeps what an ended job did for longer than its outcome: in its batch, otherwise for itself.
local function keep_digest(id, action, result, life, entry)
    local digest = digest_of(result)
    if not digest then return end
    local batch = entry ~= '' and read_batch(string.match(entry, '^%S*'))
    if batch and batch.states[id] then
        set_state(batch, '=' .. id, digest)
    else
        redis.call('SET', DIGEST .. id, digest, 'PX', math.max(DIGEST_LIFE[action], tonumber(life)))
    end
end

local any_batch = false
-- Counts the end of a job in its batch, if it has one.
local function count_in_batch(entry, id)
    if entry == '' then return end
    any_batch = true
    local batch, outcome, counts = string.match(entry, '^(%S+) (%l+)(.*)$')
    if batch then count_end(batch, id, outcome, counts) end
end

-- Adds to the history that this call has ended `count` jobs: those of the traces, except those at the positions
-- `left_out`. A failure here must not keep a job from ending: the rules of a user may be from before there was a
-- history, and the key may be of another type.
local function add_to_history(count, left_out)
    local length = count > 0 and redis.pcall('XLEN', ENDED)
    if type(length) ~= 'number' then return end
    if length >= MOST_ENDED then
        local before = redis.pcall('GET', ENDED_LEFT_OUT)
        -- A table is an error: another program's key.
        if type(before) ~= 'table' then redis.pcall('SET', ENDED_LEFT_OUT, (tonumber(before) or 0) + count) end
    elseif #left_out == 0 then
        redis.pcall('XADD', ENDED, '*', 't', ARGV[2])
    else
        redis.pcall('XADD', ENDED, '*', 't', ARGV[2], 'x', table.concat(left_out, ' '))
    end
end

-- Notifies each producer of those jobs that it waits for: see wait.lua. A producer that gets no notice looks for itself
-- a second later, so a failure here must not keep a job from ending.
local function notify_waiters(ids)
    local ids_by_name = {}
    for first = 1, #ids, PER_CALL do
        local last, notes = math.min(first + PER_CALL - 1, #ids), {}
        for i = first, last do notes[#notes + 1] = WAITER .. ids[i] end
        local waiters = redis.pcall('MGET', unpack(notes))
        for i, names in ipairs(waiters) do
            if names then
                for name in string.gmatch(names, '%S+') do
                    ids_by_name[name] = ids_by_name[name] or {}
                    table.insert(ids_by_name[name], ids[first + i - 1])
                end
                redis.pcall('DEL', notes[i])
            end
        end
    end
    for name, ids_of_name in pairs(ids_by_name) do
        for first = 1, #ids_of_name, PER_CALL do
            local last = math.min(first + PER_CALL - 1, #ids_of_name)
            redis.pcall('RPUSH', NOTICES .. name, unpack(ids_of_name, first, last))
        end
        redis.pcall('EXPIRE', NOTICES .. name, NOTICES_TTL)
    end
end

local applied, left, ended, seen = {}, {}, {}, {}
-- The ids of the jobs that this call has ended.
local over = {}
local recorded, left_out = 0, {}

-- Applies a completion, unless it came too late, and returns what the caller learns of it.
local function apply(position, id, result, queue, token, action, life, due, tries, record, entry)
    local is_owner = owns(token, owners[position], holders[position], queue, id)
    if not seen[id] and (is_owner or (action == 'done' and keeps_losing_leases(id, token))) then
        seen[id] = true
        local state = 1
        if not left[queue] then left[queue], ended[queue] = {}, {} end
        if (action == 'retry' or action == 'return') and is_unwanted(entry, id) then
            finish(id, in_progress[position], 'done', '', '0', 0, '', '')
            count_in_batch(entry .. ' dropped', id)
            table.insert(ended[queue], id)
            over[#over + 1] = id
        elseif action == 'retry' then
            requeue(id, queue, now + due, tries, record)
        elseif action == 'return' then
            requeue(id, queue, due, tries, '')
        else
            if not finish(id, in_progress[position], action, result, life, due, tries, record) then state = 2 end
            recorded = recorded + 1
            count_in_batch(entry, id)
            keep_digest(id, action, result, life, entry)
            table.insert(ended[queue], id)
            over[#over + 1] = id
        end
        table.insert(left[queue], id)
        return state
    end
    if action == 'done' and not seen[id] and is_dead_because_of(id, token) then
        seen[id] = true
        finish(id, in_progress[position], action, result, life, due, '', '')
        recorded = recorded + 1
        count_in_batch(entry, id)
        keep_digest(id, action, result, life, entry)
        over[#over + 1] = id
        redis.call('HDEL', dead, id)
        redis.call('ZREM', dead_index, id)
        redis.call('DEL', DEAD_PAYLOAD .. id)
        return 1
    end
    if action == 'dead' and tries == 'move' and lacks_payload(id, record) then
        left_out[#left_out + 1] = position
        return 2
    end
    if any_crash then take_back_crash(crashes, id, token) end
    if action == 'done' or action == 'dead' then left_out[#left_out + 1] = position end
    return 0
end

do
    local i = 3
    while i < #ARGV do
        local queue, token, action, life = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
        local due, tries, record, entry = tonumber(ARGV[i + 5]), ARGV[i + 6], ARGV[i + 7], ARGV[i + 8]
        local after = i + SHARED_VALUES + 2 * tonumber(ARGV[i])
        for at = i + SHARED_VALUES, after - 1, 2 do
            local id, result = ARGV[at], ARGV[at + 1]
            applied[#applied + 1] = apply(
                #applied + 1, id, result, queue, token, action, life, due, tries, record, entry)
        end
        i = after
    end
end
for first = 1, #gone, PER_CALL do
    redis.call('DEL', unpack(gone, first, math.min(first + PER_CALL - 1, #gone)))
end
for queue, ids in pairs(left) do
    remove('ZREM', queue .. LEASED_SUFFIX, ids)
    remove('HDEL', leases, ids)
    remove('ZREM', queue, ended[queue])
    if any_crash then remove('HDEL', crashes, ended[queue]) end
    if any_abort then remove('ZREM', abort, ended[queue]) end
end
if any_batch then store_batches(now) end
if any_waiter then notify_waiters(over) end
if ARGV[2] ~= '' then add_to_history(recorded, left_out) end
return applied
