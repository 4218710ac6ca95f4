"""The contract of claim.lua, for a simulated and for a real Redis."""

import pytest

from tests.redis_scripts.script_bench import LEASE_MS, ScriptBench
from worker.queue import keys
from worker.queue.claim import ClaimedJob


class ClaimContract:
    async def test_jobs_are_claimed_in_the_order_of_their_due_times(self, bench: ScriptBench) -> None:
        await bench.enqueue("c", "a", "b")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1, bench.id("b"): 2.5, bench.id("c"): 3})

        jobs = (await bench.claim()).jobs

        assert [(job.job_id.decode(), job.score) for job in jobs] == [
            (bench.id("a"), 1),
            (bench.id("b"), 2.5),
            (bench.id("c"), 3),
        ]

    async def test_a_claimed_job_is_leased_to_its_owner(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        job = await bench.claim_one("owner")

        redis, job_id = bench.redis, bench.id("a")
        assert await redis.hget(keys.LEASES, job_id) == b"owner"
        assert await redis.get(keys.IN_PROGRESS + job_id) == b"owner"
        assert LEASE_MS - 5_000 < await redis.pttl(keys.IN_PROGRESS + job_id) <= LEASE_MS
        assert LEASE_MS - 5_000 < await bench.due_in_ms("a") <= LEASE_MS
        assert await redis.zscore(bench.queue + keys.LEASED_SUFFIX, job_id) == await redis.zscore(
            bench.queue, job_id
        )
        assert (job.tries, job.crashes, job.problem, job.queue) == (1, 0, "", bench.queue)
        # A completion counts the try. A try whose owner dies counts as a crash instead.
        assert await bench.tries("a") == 0

    async def test_an_in_progress_key_of_another_type_keeps_no_job_from_running(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.hset(keys.IN_PROGRESS + bench.id("a"), "foreign", 1)

        await bench.claim_one("owner")

        assert await bench.redis.get(keys.IN_PROGRESS + bench.id("a")) == b"owner"

    async def test_an_in_progress_key_without_an_expiry_keeps_no_job_from_running(self, bench: ScriptBench) -> None:
        # As a tool leaves it that copies keys from one Redis to another without their lives.
        await bench.enqueue("a", "held")
        await bench.redis.set(keys.IN_PROGRESS + bench.id("a"), b"1")
        await bench.stock_worker_claims("held")

        assert await bench.claimed_names("owner") == ["a"]

        assert await bench.redis.get(keys.IN_PROGRESS + bench.id("a")) == b"owner"
        assert 0 < await bench.redis.pttl(keys.IN_PROGRESS + bench.id("a")) <= LEASE_MS

    async def test_a_counter_of_tries_expires(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "retry", record=b"x")

        assert 0 < await bench.redis.ttl(keys.TRIES + bench.id("a")) <= 30 * 86_400

    async def test_a_leased_job_is_not_claimed_again(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")

        assert len((await bench.claim("one")).jobs) == 2
        claim = await bench.claim("two")
        assert claim.jobs == []
        assert LEASE_MS - 5_000 < claim.next_due_ms - claim.now_ms <= LEASE_MS

    async def test_a_claim_is_limited_per_queue_and_in_total(self, bench: ScriptBench) -> None:
        await bench.enqueue("a1", "a2", "a3")
        await bench.enqueue("b1", "b2", "b3", queue=bench.bulk)

        claim = await bench.scripts.claim("t", LEASE_MS, 4, [(bench.bulk, 1), (bench.queue, 2)])
        assert [job.queue for job in claim.jobs] == [bench.bulk, bench.queue, bench.queue]
        claim = await bench.scripts.claim("t", LEASE_MS, 2, [(bench.queue, 2), (bench.bulk, 2)])
        assert [job.queue for job in claim.jobs] == [bench.queue, bench.bulk]
        claim = await bench.scripts.claim("t", LEASE_MS, 5, [(bench.queue, 5), (bench.bulk, 0)])
        assert claim.jobs == []

    async def test_nothing_is_taken_from_a_paused_queue(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.enqueue("b", delay_ms=1_000)
        await bench.enqueue("c", queue=bench.bulk)
        paused = f"queue:{bench.queue}"
        await bench.redis.hset(keys.PAUSES, paused, "written by another program")

        claim = await bench.claim()
        assert [job.queue for job in claim.jobs] == [bench.bulk]
        assert paused in claim.paused
        # A job that becomes due on a paused queue is no reason to claim.
        assert claim.next_due_ms == -1 or claim.next_due_ms - claim.now_ms > 1_000

        await bench.redis.hdel(keys.PAUSES, paused)
        claim = await bench.claim()
        assert [job.queue for job in claim.jobs] == [bench.queue]
        assert paused not in claim.paused

    async def test_a_paused_function_is_named_in_the_claim(self, bench: ScriptBench) -> None:
        paused = f"function:{bench.queue}"
        await bench.redis.hset(keys.PAUSES, paused, "{}")
        assert paused in (await bench.claim()).paused
        await bench.redis.hdel(keys.PAUSES, paused)

    async def test_the_next_due_time_is_the_earliest_of_all_queues(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", delay_ms=50_000)
        await bench.enqueue("b", queue=bench.bulk, delay_ms=20_000)

        for queues in (bench.queues, bench.queues[::-1]):
            claim = await bench.scripts.claim("t", LEASE_MS, 1, [(queue, 1) for queue in queues])
            assert 19_000 < claim.next_due_ms - claim.now_ms <= 20_000
        assert (await ScriptBench(bench.redis).claim()).next_due_ms == -1

    async def test_a_job_of_a_dead_owner_is_taken_over_and_its_crash_is_counted(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.claim("dead-owner")
        await bench.let_lease_end("a")

        job = await bench.claim_one("new-owner")

        assert (job.tries, job.crashes, job.lost_by) == (1, 1, ("dead-owner",))
        assert await bench.redis.hget(keys.LEASES, bench.id("a")) == b"new-owner"
        await bench.let_lease_end("a")
        job = await bench.claim_one("third-owner")
        assert (job.crashes, job.lost_by) == (2, ("dead-owner", "new-owner"))

    @pytest.mark.parametrize("sign", ["renewal", "completion"])
    async def test_the_crash_of_an_owner_that_is_heard_of_again_is_taken_back(
        self, bench: ScriptBench, sign: str
    ) -> None:
        await bench.enqueue("a")
        for owner in ("first", "second", "third"):
            await bench.claim_one(owner)
            await bench.let_lease_end("a")
        job = await bench.claim_one("fourth")

        for _ in range(2):  # said twice, it counts once
            if sign == "renewal":
                assert await bench.renew(job, token="second") == [job.job_id]
            else:
                assert not await bench.finish(job, "retry", token="second")
        # One whose crash was not counted changes nothing.
        assert await bench.renew(job, token="fifth") == [job.job_id]

        await bench.let_lease_end("a")
        job = await bench.claim_one("fifth")
        assert (job.crashes, job.lost_by) == (3, ("first", "-", "third", "fourth"))

    async def test_a_worker_that_takes_its_own_job_again_did_not_die(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.claim("host:17:abc:1")
        await bench.let_lease_end("a")

        job = await bench.claim_one("host:17:abc:2")

        assert (job.crashes, job.lost_by) == (0, ("-",))
        await bench.let_lease_end("a")
        job = await bench.claim_one("host:17:abcd:1")
        assert (job.crashes, job.lost_by) == (1, ("-", "host:17:abc:2"))

    async def test_a_crash_that_an_earlier_version_counted_counts_on(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.hset(keys.CRASHES, bench.id("a"), 1)
        await bench.redis.hset(keys.LEASES, bench.id("a"), "dead-owner")

        job = await bench.claim_one()

        assert (job.crashes, job.lost_by) == (2, ("dead-owner",))

    async def test_the_tokens_that_are_kept_of_former_owners_are_limited(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.hset(keys.LEASES, bench.id("a"), "x" * 100_000)

        job = await bench.claim_one()

        assert (job.crashes, job.lost_by) == (1, ())

    async def test_a_crash_key_of_another_type_does_not_stop_renewals(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.delete(keys.CRASHES)
        await bench.redis.set(keys.CRASHES, "not a hash")
        try:
            assert await bench.renew(job) == []
            assert await bench.renew(job, token="another") == [job.job_id]
        finally:
            await bench.redis.delete(keys.CRASHES)

    @pytest.mark.parametrize(
        "counter", ["abc", "", "nan", "-7", "1.5", "2x", "2 ", " ", "9" * 30, "9223372036854775807"]
    )
    @pytest.mark.parametrize("owner", [None, "dead:1"])
    async def test_an_overwritten_crash_counter_does_not_block_claims(
        self, bench: ScriptBench, counter: str, owner: str | None
    ) -> None:
        await bench.enqueue("a", "b")
        await bench.redis.hset(keys.CRASHES, bench.id("a"), counter)
        if owner is not None:
            await bench.redis.hset(keys.LEASES, bench.id("a"), owner)

        claimed = {job.job_id.decode(): job.crashes for job in (await bench.claim()).jobs}

        assert claimed.keys() == {bench.id("a"), bench.id("b")}
        assert isinstance(claimed[bench.id("a")], int)
        assert claimed[bench.id("b")] == 0

    @pytest.mark.parametrize("held", [1, 200])
    async def test_jobs_that_stock_workers_run_are_skipped(self, bench: ScriptBench, held: int) -> None:
        names = [f"held{number:03}" for number in range(held)]
        await bench.enqueue(*names)
        for name in names:
            await bench.stock_worker_claims(name)
        for number, name in enumerate(names):
            await bench.redis.zadd(bench.queue, {bench.id(name): number})
        await bench.enqueue("behind1", "behind2")

        assert await bench.claimed_names(wanted=1) == ["behind1"]
        assert await bench.claimed_names() == ["behind2"]
        assert (await bench.counts()).total == held + 2

    async def test_all_free_jobs_between_running_ones_are_claimed(self, bench: ScriptBench) -> None:
        names = [f"{number:03}" for number in range(100)]
        await bench.enqueue(*names)
        await bench.redis.zadd(bench.queue, {bench.id(name): int(name) for name in names})
        for name in names[::3]:
            await bench.stock_worker_claims(name)

        found = [name for _ in range(10) for name in await bench.claimed_names(wanted=7)]

        assert found == [name for name in names if name not in names[::3]]

    async def test_a_missing_payload_is_reported(self, bench: ScriptBench) -> None:
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        job = await bench.claim_one()

        assert (job.problem, job.payload, job.tries) == ("missing", b"", 1)

    async def test_a_payload_key_of_another_type_is_reported(self, bench: ScriptBench) -> None:
        await bench.redis.rpush(keys.JOB + bench.id("a"), "x")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        job = await bench.claim_one()
        assert (job.problem, job.payload) == ("wrong-type", b"")
        assert await bench.finish(job, "dead", record=b"dead letter")
        assert await bench.places_of("a") == {keys.DEAD, "dead index"}

    @pytest.mark.parametrize("kind", ["list", "text", "nan", "-3", "1e3"])
    async def test_an_invalid_counter_of_tries_counts_as_zero(self, bench: ScriptBench, kind: str) -> None:
        await bench.enqueue("a")
        key = keys.TRIES + bench.id("a")
        await (bench.redis.rpush(key, "x") if kind == "list" else bench.redis.set(key, kind))

        assert (await bench.claim_one()).tries == 1

    async def test_a_counter_of_tries_is_capped_at_a_million(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.set(keys.TRIES + bench.id("a"), "9" * 30)

        assert (await bench.claim_one()).tries == 1_000_001

    async def test_a_job_id_that_is_not_utf_8_is_claimed_and_dead_lettered(self, bench: ScriptBench) -> None:
        job_id = b"\xff\xfe" + bench.id("a").encode()
        await bench.redis.set(keys.JOB.encode() + job_id, b"payload")
        await bench.redis.zadd(bench.queue, {job_id: 1})

        job = await bench.claim_one()
        assert (job.job_id, job.payload) == (job_id, b"payload")
        assert await bench.finish(job, "dead", record=b"dead letter")
        assert await bench.redis.hget(keys.DEAD, job_id) == b"dead letter"
        await bench.redis.hdel(keys.DEAD, job_id)

    @pytest.mark.parametrize("action", ["done", "dead"])
    async def test_a_completed_job_that_is_delivered_again_is_removed(
        self, bench: ScriptBench, action: str
    ) -> None:
        await bench.enqueue("a", "b")
        await bench.finish((await bench.claim()).jobs[0], action, result=b"r", result_life_ms=-1, record=b"")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        assert (await bench.claim()).jobs == []
        assert "queue" not in await bench.places_of("a")

    async def test_a_dead_letter_without_a_result_survives_a_second_delivery(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "dead", record=b"dead letter")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        assert (await bench.claim()).jobs == []
        assert await bench.redis.hget(keys.DEAD, bench.id("a")) == b"dead letter"

    async def test_a_claim_returns_when_an_abort_was_requested(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.zadd(keys.ABORT, {bench.id("a"): 1_234_567_890_123})

        assert (await bench.claim_one()).abort_ms == 1_234_567_890_123

    async def test_a_claim_that_leaves_due_jobs_wakes_another_worker(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b", "c")
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)

        for _ in range(2):
            await bench.claim(wanted=1)
            assert await bench.wakeups() == 1
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)
        await bench.claim(wanted=1)
        assert await bench.wakeups() == 0

    async def test_the_payload_bytes_of_one_claim_are_limited(self, bench: ScriptBench) -> None:
        """A claim of 300 payloads of 16 MB would time out, be handed back, and be repeated forever."""
        for name in ("a", "b", "c"):
            await bench.enqueue(name, payload=bytes(9_000_000))
        await bench.enqueue("bulk", queue=bench.bulk)
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)

        claim = await bench.claim()

        assert [job.job_id.decode() for job in claim.jobs] == [bench.id("a"), bench.id("b")]
        # This worker must claim again at once, and another worker may claim the rest.
        assert claim.next_due_ms <= claim.now_ms
        assert await bench.wakeups() == 1
        assert await bench.claimed_names("another") == ["c", "bulk"]

    async def test_a_wakeup_key_of_another_type_is_replaced(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        await bench.redis.set(bench.queue + keys.WAKEUP_SUFFIX, "not a list")

        assert len((await bench.claim(wanted=1)).jobs) == 1
        assert await bench.wakeups() == 1

    @pytest.mark.parametrize(
        ("largest_answer", "claimed"), [(1, 1), (2_200, 2), (2_201, 3), (5_500, 5), (10**6, 5)]
    )
    async def test_a_claim_ends_with_the_job_that_fills_its_answer(
        self, bench: ScriptBench, largest_answer: int, claimed: int
    ) -> None:
        await bench.enqueue(*"abcde", payload=bytes(1_000))

        claim = await bench.scripts.claim("token", LEASE_MS, 5, [(bench.queue, 5)], largest_answer)

        assert len(claim.jobs) == claimed
        assert claim.size == claimed * 1_100
        # A worker that got less than it asked for claims the rest at once.
        assert (claim.next_due_ms == claim.now_ms) == (claim.size >= largest_answer)

    async def test_leases_of_jobs_that_stock_workers_completed_are_removed(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.claim("dead owner")
        await bench.let_lease_end("a")
        await bench.stock_worker_claims("a")
        await bench.claim()
        assert "leased" in await bench.places_of("a")

        await bench.stock_worker_completes("a")
        await bench.claim()

        assert await bench.places_of("a") == set()
        assert await bench.counts() == (0, 0, 0, -1)


class OutageContract:
    """After Redis was down or frozen while owners could not renew, they get half a lease to do so."""

    async def _expire_lease_in_an_outage(self, bench: ScriptBench) -> ClaimedJob:
        await bench.enqueue("a")
        job = await bench.claim_one("owner")
        await bench.let_lease_end("a")
        await bench.redis.hset(keys.CLOCK, "seen", await bench.now_ms() - LEASE_MS - 1)
        return job

    async def test_no_job_is_taken_over_immediately(self, bench: ScriptBench) -> None:
        await self._expire_lease_in_an_outage(bench)

        claim = await bench.claim("other")

        assert claim.jobs == []
        assert claim.next_due_ms - claim.now_ms == LEASE_MS / 4
        assert (await bench.claim("other")).jobs == []

    async def test_a_lease_that_ends_soon_after_an_outage_is_not_taken_over(self, bench: ScriptBench) -> None:
        """The outage was shorter than a lease, but took most of what its owner had left."""
        await bench.enqueue("a")
        job = await bench.claim_one("owner")
        await bench.redis.hset(keys.CLOCK, "seen", await bench.now_ms() - LEASE_MS // 2)
        await bench.claim("other")
        await bench.let_lease_end("a")

        assert (await bench.claim("other")).jobs == []
        assert await bench.renew(job, token="owner") == []

    async def test_a_sole_worker_that_claims_when_it_is_told_to_takes_the_job(self, bench: ScriptBench) -> None:
        """Its own pauses between claims are no outages."""
        await self._expire_lease_in_an_outage(bench)
        waited_ms = 0
        while not (claim := await bench.claim("other")).jobs:
            wait_ms = claim.next_due_ms - claim.now_ms
            waited_ms += wait_ms
            for field in ("seen", "resumed"):
                await bench.redis.hincrby(keys.CLOCK, field, -wait_ms)
            assert waited_ms <= LEASE_MS / 2

        assert claim.jobs[0].crashes == 1

    async def test_an_owner_that_renews_in_time_keeps_its_job(self, bench: ScriptBench) -> None:
        job = await self._expire_lease_in_an_outage(bench)
        await bench.claim("other")

        assert await bench.renew(job, token="owner") == []
        await self._let_half_a_lease_pass(bench)

        assert (await bench.claim("other")).jobs == []
        assert await bench.finish(job, token="owner")

    async def test_an_owner_that_does_not_renew_loses_its_job_after_half_a_lease(self, bench: ScriptBench) -> None:
        await self._expire_lease_in_an_outage(bench)
        await bench.claim("other")
        await self._let_half_a_lease_pass(bench)

        assert (await bench.claim_one("other")).crashes == 1

    async def test_new_jobs_are_claimed_immediately(self, bench: ScriptBench) -> None:
        await self._expire_lease_in_an_outage(bench)
        await bench.enqueue("b")

        assert await bench.claimed_names("other") == ["b"]

    async def test_a_renewal_also_detects_the_end_of_an_outage(self, bench: ScriptBench) -> None:
        await self._expire_lease_in_an_outage(bench)
        await bench.renew(token="another owner")

        assert (await bench.claim("other")).jobs == []

    @pytest.mark.parametrize("field", ["seen", "resumed"])
    async def test_a_clock_that_was_set_back_does_not_block_claims(self, bench: ScriptBench, field: str) -> None:
        await bench.enqueue("a")
        await bench.claim_one("dead owner")
        await bench.let_lease_end("a")
        await bench.redis.hset(keys.CLOCK, field, await bench.now_ms() + 3_600_000)

        assert (await bench.claim_one("other")).crashes == 1

    async def test_a_pause_between_two_renewals_is_not_an_outage(self, bench: ScriptBench) -> None:
        await self._expire_lease_in_an_outage(bench)
        await bench.redis.hset(keys.CLOCK, "seen", await bench.now_ms() - LEASE_MS // 4)

        assert (await bench.claim_one("other")).crashes == 1

    async def _let_half_a_lease_pass(self, bench: ScriptBench) -> None:
        resumed = int(await bench.redis.hget(keys.CLOCK, "resumed"))
        await bench.redis.hset(keys.CLOCK, "resumed", resumed - LEASE_MS // 2 - 1)
