-- Takes due jobs from the queues, in the order given, and leases them to one owner.
--
-- A claimed job's score moves to the end of its lease: it leaves the window of due jobs, so the cost of a
-- claim does not grow with what is in flight, and it becomes due again if its owner dies.
--
-- KEYS  leases, crashes, abort, clock, dead letters, last claims, then the queues, any of which may come twice
-- ARGV  token, lease in ms, jobs wanted in all, bytes that the answer may have, id of the worker,
--       then the jobs wanted of each queue, then for each queue with a rate its name and its jobs per second
-- Returns {now in ms, next due time in ms or -1, jobs, what is paused: "queue:NAME", "function:NAME", the queues of which
--   their rate held due jobs back}; a job is
--   {id, position of its queue from 0, score, payload}, and unless it is claimed for the first time without a problem
--   or a request to abort it: {..., tries, crashes, abort time or -1, problem or '', owners that lost it}
local leases, crashes, abort, clock, dead, claims = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local token, lease, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- One answer stays below what arrives within a socket's timeout: a backlog of large payloads would otherwise be
-- claimed, time out, be handed back, and be claimed again for ever. The worker knows what its link carries.
local BYTES_LIMIT, worker = tonumber(ARGV[4]), ARGV[5]
-- About what a job takes in the answer beside its payload.
local BYTES_BESIDE = 100
local now = clock_ms()
local lease_end = now + lease
-- Numbers become text at each call, so what is written for each job is made text once.
local lease_text, lease_end_text = ARGV[2], string.format('%.0f', lease_end)
-- How many due entries may be skipped that other workers hold or that wait to be dropped; there are few unless stock arq
-- workers share the queue.
local SCAN_LIMIT = 5000
-- The most tries that a producer may say a job has had.
local LARGEST_COUNT = 1000000
-- How many leases of dead owners to remove whose jobs stock arq workers have ended since; a few per claim suffice.
local SWEEP_LIMIT = 16
-- Bytes of the tokens that are kept of a job's former owners. Tokens are shorter, unless another program wrote them.
local OWNERS_LIMIT = 2000

-- After Redis was down, frozen or failed over, a lease may end although its owner lives. Owners get half a lease to renew
-- before any of their jobs is taken.
note_alive(clock, lease, now)
local resumed = tonumber(redis.call('HGET', clock, 'resumed')) or 0
-- An instant in the future was not written by these scripts, and would hold until then.
local owners_returning = resumed <= now and now - resumed < lease / 2

-- Usually these are empty, and looking up every id in them would cost as much as the rest.
local any_crash = redis.call('HLEN', crashes) > 0
local any_abort = redis.call('ZCARD', abort) > 0
-- A call from a script costs more than the command itself, so jobs are looked up together: PER_CALL arguments per call
-- (Lua's stack takes a few thousand), and PAYLOADS payloads at once (they are held in memory beside the answer).
local PER_CALL, PAYLOADS = 500, 16

local function forget(queue, id)
    redis.call('ZREM', queue, id)
    redis.call('ZREM', queue .. LEASED_SUFFIX, id)
    redis.call('HDEL', leases, id)
    redis.call('HDEL', crashes, id)
    redis.call('DEL', IN_PROGRESS .. id)
end

-- Removes a job that was enqueued under an id that stays taken: see finish.lua.
local function drop(queue, id)
    redis.call('ZREM', queue, id)
    redis.call('DEL', JOB .. id, TRIES .. id)
end

-- Returns the values of keys, and their names.
local function values(prefix, ids)
    local names = {}
    for i, id in ipairs(ids) do names[i] = prefix .. id end
    return redis.call('MGET', unpack(names)), names
end

local jobs, next_due, bytes = {}, -1, 0
local function note_due(at)
    if next_due < 0 or at < next_due then next_due = at end
end

-- Usually there is none: a batch is here while its waiting jobs are dropped.
local cancelled_batches = redis.pcall('ZRANGE', CANCELLED_BATCHES, 0, -1)

-- Returns the ids and scores of a page without those jobs that wait to be dropped: of a cancelled batch, and not ended.
local function without_unwanted(ids, scores)
    local unwanted = {}
    for _, batch in ipairs(cancelled_batches) do
        for i, state in ipairs(redis.pcall('HMGET', BATCH_JOBS .. batch, unpack(ids))) do
            -- A colon stands before an outcome: a dead letter that was retried since is wanted.
            if state and string.byte(state) ~= 58 then unwanted[i] = true end
        end
    end
    local kept, kept_scores = {}, {}
    for i, id in ipairs(ids) do
        if not unwanted[i] then kept[#kept + 1], kept_scores[#kept_scores + 1] = id, scores[i] end
    end
    return kept, kept_scores
end

-- Why a job has no readable payload; nil if it has none because it has ended.
local function problem_of(id)
    -- MGET answers nil for a key of another type.
    if redis.call('EXISTS', JOB .. id) == 1 then return 'wrong-type' end
    if
        redis.call('EXISTS', RESULT .. id) == 1
        or redis.call('HEXISTS', dead, id) == 1
        or any_abort and redis.call('ZSCORE', abort, id)
    then
        return nil
    end
    return 'missing'
end

-- Reads a counter that anyone may have written: a value that is not a number counts as 0.
local function whole_number(text)
    return text and string.match(text, '^%d+$') and math.min(tonumber(text), LARGEST_COUNT) or 0
end

-- Takes one job whose id is already marked as in progress; returns whether there was a job.
-- `spent` is how many tries it has spent, `owner` the token of an owner that died.
local function take(queue, position, id, score, payload, spent, owner)
    local problem = ''
    if not payload then
        problem, payload = problem_of(id), ''
        if not problem then
            -- Delivered again after it had ended: arq's request to abort puts even a job back that ends meanwhile.
            -- As a job without a payload it would overwrite its own dead letter.
            forget(queue, id)
            return false
        end
    end
    local crash_count, owners = 0, ''
    if any_crash then
        crash_count, owners = read_crashes(redis.call('HGET', crashes, id))
    end
    if owner then
        any_crash = true
        if string.sub(owner, 1, #worker + 1) == worker .. ':' then
            -- This worker's own earlier claim, of which it cannot be heard again now: it was held up, and lives.
            owner = '-' .. owner
        else
            crash_count = crash_count + 1
        end
        if #owners + #owner < OWNERS_LIMIT then owners = owners .. ' ' .. owner end
        redis.call('HSET', crashes, id, crash_count .. owners)
    end
    local abort_time = any_abort and redis.call('ZSCORE', abort, id)
    local job = {id, position, score, payload}
    if spent or problem ~= '' or abort_time or crash_count > 0 or owners ~= '' then
        local tries = whole_number(spent) + 1
        job = {id, position, score, payload, tries, crash_count, abort_time or '-1', problem, owners}
    end
    jobs[#jobs + 1] = job
    bytes = bytes + #payload + BYTES_BESIDE
    return true
end

-- Whether a job's lease has ended by the queues' time. Its in-progress key expires by Redis's clock, and so outlives the
-- lease by as much as that clock was set back.
local function lease_ended(queue, id)
    local ends = redis.call('ZSCORE', queue .. LEASED_SUFFIX, id)
    return ends and tonumber(ends) <= now
end

-- Whether another program's mark on a job that is due would stay for ever. arq's expires; a copy of Redis may lose that.
-- Only for those of a queue that have been due for longest: such a job is one of them in the end.
local looked = 0
local function never_expires(id)
    if looked == SWEEP_LIMIT then return false end
    looked = looked + 1
    -- The rules of a user may lack PTTL.
    return redis.pcall('PTTL', IN_PROGRESS .. id) == -1
end

-- Takes the free jobs of one page of a queue's due entries; returns the ids taken and how many other workers hold.
local function take_from(queue, position, ids, scores, want)
    local holders, in_progress = values(IN_PROGRESS, ids)
    local owners = redis.call('HMGET', leases, unpack(ids))
    local spent = values(TRIES, ids)
    local taken, leased, held, largest = {}, {}, 0, BYTES_LIMIT
    local payloads, first, read_to = {}, 1, 0
    for i, id in ipairs(ids) do
        if #taken == want or bytes >= BYTES_LIMIT then break end
        if i > read_to then
            -- As many as fit into the answer if none is larger than the largest so far.
            local count = math.max(1, math.min(PAYLOADS, math.floor((BYTES_LIMIT - bytes) / largest)))
            first, read_to = i, math.min(i + count - 1, #ids)
            payloads = values(JOB, {unpack(ids, first, read_to)})
            largest = 1024
            for _, payload in ipairs(payloads) do largest = math.max(largest, payload and #payload or 0) end
        end
        local holder = holders[i]
        if holder and holder == owners[i] then
            if not owners_returning and lease_ended(queue, id) then holder = false end
        elseif holder and holder ~= 'ended' and never_expires(id) then
            holder = false
        end
        if holder == 'ended' then
            drop(queue, id)
        elseif owners_returning and owners[i] then
            held = held + 1
            -- A claimer that polls rarely must claim again before Redis would count as silent.
            note_due(math.min(resumed + lease / 2, now + math.floor(lease / 4)))
        elseif holder then
            held = held + 1
        else
            -- Without NX: a key of another type, of which MGET says nothing, would keep the job from running for ever.
            redis.call('SET', in_progress[i], token, 'PX', lease_text)
            if take(queue, position, id, scores[i], payloads[i - first + 1], spent[i], owners[i]) then
                taken[#taken + 1] = id
                leased[#leased + 1] = id
                leased[#leased + 1] = token
            end
        end
    end
    if #leased > 0 then redis.call('HSET', leases, unpack(leased)) end
    return taken, held
end

local function move(queue, ids)
    for first = 1, #ids, PER_CALL do
        local scores = {}
        for i = first, math.min(first + PER_CALL - 1, #ids) do
            scores[#scores + 1] = lease_end_text
            scores[#scores + 1] = ids[i]
        end
        redis.call('ZADD', queue, unpack(scores))
        redis.call('ZADD', queue .. LEASED_SUFFIX, unpack(scores))
    end
end

local function sweep(queue)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue .. LEASED_SUFFIX, '-inf', now, 'LIMIT', 0, SWEEP_LIMIT)) do
        if not redis.call('ZSCORE', queue, id) and redis.call('EXISTS', JOB .. id) == 0 then
            redis.call('ZREM', queue .. LEASED_SUFFIX, id)
            redis.call('HDEL', leases, id)
            redis.call('HDEL', crashes, id)
        end
    end
end

-- Usually nothing is paused. Of a paused queue nothing is taken. Which function a job calls is in its payload, so the
-- worker puts jobs of paused functions aside. It learns of a pause in the step that claims them: none starts after it.
local paused, is_paused = redis.call('HGETALL', PAUSES), {}
for i = 1, #paused, 2 do is_paused[paused[i]] = true end

local rates, held_back = {}, {}
for i = #KEYS, #ARGV, 2 do rates[ARGV[i]] = tonumber(ARGV[i + 1]) end

for index = 7, #KEYS do
    local queue = KEYS[index]
    local want = is_paused['queue:' .. queue] and 0 or math.min(tonumber(ARGV[index - 1]), wanted - #jobs)
    local rate, has_few, free, spent_to = rates[queue], false, 0, 0
    if rate and want > 0 then
        free, spent_to = tokens(queue, rate, now)
        has_few = free < want
        want = math.min(want, free)
    end
    looked = 0
    sweep(queue)
    -- Taken jobs stay in the window until all are moved together, as jobs of other workers do.
    local held, taken = 0, {}
    while #taken < want and held < SCAN_LIMIT and bytes < BYTES_LIMIT do
        local page = cancelled_batches[1] and PER_CALL or math.min(math.max(want - #taken, 16), PER_CALL)
        local due = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', held + #taken, page)
        if #due == 0 then break end
        local ids, scores = {}, {}
        for i = 1, #due, 2 do
            ids[#ids + 1], scores[#scores + 1] = due[i], due[i + 1]
        end
        if cancelled_batches[1] then
            local found = #ids
            ids, scores = without_unwanted(ids, scores)
            held = held + found - #ids
        end
        if #ids > 0 then
            local got, others = take_from(queue, index - 7, ids, scores, want - #taken)
            held = held + others
            for _, id in ipairs(got) do taken[#taken + 1] = id end
        end
    end
    move(queue, taken)
    if rate and #taken > 0 then spent_to = spend(queue, rate, spent_to, #taken) end
    if not is_paused['queue:' .. queue] then
        local head = redis.call('ZRANGEBYSCORE', queue, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
        if head[2] then note_due(tonumber(head[2])) end
    end
    -- One worker is woken for many jobs; a worker that claims and leaves some wakes the next one.
    if (#taken == want or bytes >= BYTES_LIMIT) and (want > 0 or has_few) then
        local more = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', held, 1)
        if #more > 0 and want > 0 then announce(queue) end
        if #more > 0 and has_few then
            note_due(next_tokens(rate, spent_to))
            -- Not if it was the size of the answer.
            if #taken == want then held_back[queue] = true end
        end
    end
end
-- If the answer is lost, nobody renews these leases: their end is how recover.lua finds them among all others.
if #jobs > 0 and type(redis.pcall('HSET', claims, worker, lease_end)) == 'table' then
    -- A key of another type, which this queue did not write.
    redis.call('DEL', claims)
    redis.call('HSET', claims, worker, lease_end)
end
-- A worker that got less than it asked for must claim the rest at once.
if bytes >= BYTES_LIMIT then next_due = now end
local function names_in(set)
    local names = {}
    for name in pairs(set) do names[#names + 1] = name end
    return names
end
return {now, next_due, jobs, names_in(is_paused), names_in(held_back)}
