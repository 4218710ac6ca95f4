"""The contracts of renew.lua, recover.lua and stats.lua, for a simulated and for a real Redis."""

import asyncio

from tests.redis_scripts.script_bench import LEASE_MS, ScriptBench
from worker.queue import keys


class RenewContract:
    async def test_a_renewal_extends_the_lease(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = (await bench.claim(lease_ms=5_000)).jobs[0]

        assert await bench.renew(job, lease_ms=90_000) == []

        assert 85_000 < await bench.due_in_ms("a") <= 90_000
        assert 85_000 < await bench.redis.pttl(keys.IN_PROGRESS + bench.id("a")) <= 90_000
        leased = await bench.redis.zscore(bench.queue + keys.LEASED_SUFFIX, bench.id("a"))
        assert leased == await bench.redis.zscore(bench.queue, bench.id("a"))

    async def test_an_expired_lease_can_be_renewed_if_no_other_worker_claimed_the_job(
        self, bench: ScriptBench
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")

        assert await bench.renew(job) == []
        assert (await bench.claim("other")).jobs == []

    async def test_lost_leases_are_returned_and_not_changed(self, bench: ScriptBench) -> None:
        await bench.enqueue("kept", "taken", "stock", "ended", "gone")
        jobs = {job.job_id.decode().partition(":")[0]: job for job in (await bench.claim("owner")).jobs}
        await bench.let_lease_end("taken")
        await bench.claim("new owner")
        await bench.stock_worker_claims("stock")
        await bench.finish(jobs["ended"], token="owner")
        await bench.let_lease_end("gone")
        await bench.stock_worker_completes("gone")

        lost = await bench.renew(*jobs.values(), token="owner")

        assert {job_id.decode().partition(":")[0] for job_id in lost} == {"taken", "stock", "ended", "gone"}
        assert await bench.redis.get(keys.IN_PROGRESS + bench.id("taken")) == b"new owner"
        assert await bench.places_of("ended") == set()
        assert "queue" not in await bench.places_of("gone")


class RecoverContract:
    async def test_jobs_of_a_lost_claim_return_to_their_queues_without_a_try_or_a_crash(
        self, bench: ScriptBench
    ) -> None:
        await bench.enqueue("a")
        await bench.enqueue("b", queue=bench.bulk)
        await bench.claim("lost")

        assert (await bench.scripts.recover("lost", bench.queues))[0] == 2

        assert await bench.places_of("a") == {keys.JOB, "queue"}
        jobs = (await bench.claim()).jobs
        assert [(job.queue, job.tries, job.crashes) for job in jobs] == [
            (bench.queue, 1, 0),
            (bench.bulk, 1, 0),
        ]

    async def test_earlier_tries_stay_counted(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "retry")
        await bench.claim("lost")

        await bench.scripts.recover("lost", bench.queues)

        assert await bench.tries("a") == 1

    async def test_a_claim_is_recovered_after_an_outage_longer_than_its_lease(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.claim("lost", lease_ms=1)
        while await bench.redis.exists(keys.IN_PROGRESS + bench.id("a")):
            await asyncio.sleep(0.001)

        assert (await bench.scripts.recover("lost", bench.queues))[0] == 1
        job = await bench.claim_one()
        assert (job.tries, job.crashes) == (1, 0)

    async def test_recovery_does_not_affect_other_claims(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b", "c")
        await bench.claim("lost", 1)
        await bench.claim("other", 1)
        await bench.claim("lost", 1)
        await bench.let_lease_end("a")
        await bench.stock_worker_claims("a")

        assert (await bench.scripts.recover("lost", bench.queues))[0] == 1

        assert await bench.claimed_names() == ["c"]
        assert await bench.redis.get(keys.IN_PROGRESS + bench.id("a")) == b"1"
        assert (await bench.scripts.recover("lost", bench.queues))[0] == 0

    async def test_only_what_the_claim_leased_is_looked_at(self, bench: ScriptBench) -> None:
        await bench.enqueue(*map(str, range(10)))
        await bench.claim("worker:1", 4)
        for name in ("0", "1"):
            await bench.redis.zadd(bench.queue + keys.LEASED_SUFFIX, {bench.id(name): await bench.now_ms()})

        # Leases that were renewed are known to their owner; nobody renews those of a claim without an answer.
        assert (await bench.scripts.recover("worker:1", bench.queues))[0] == 2

    async def test_the_last_claims_of_workers_are_reading_apart(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        await bench.claim("one:1", 1)
        await bench.claim("two:1", 1)

        assert (await bench.scripts.recover("one:1", bench.queues))[0] == 1
        assert (await bench.scripts.recover("two:1", bench.queues))[0] == 1

    async def test_a_claim_that_found_nothing_recovers_nothing(self, bench: ScriptBench) -> None:
        assert (await bench.scripts.recover(f"{bench.queue}:1", bench.queues))[0] == 0

    async def test_last_claims_in_a_key_of_another_type_are_replaced(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.set(keys.CLAIMS, "not last claims")

        await bench.claim("lost")

        assert (await bench.scripts.recover("lost", bench.queues))[0] == 1

    async def test_a_job_that_was_claimed_alone_can_be_deferred(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.claim("lost")

        found = await bench.scripts.recover("lost", bench.queues, defer_ms=60_000)

        assert found == (1, bench.id("a").encode())
        due_in_ms = await bench.redis.zscore(bench.queue, bench.id("a")) - await bench.now_ms()
        assert 50_000 < due_in_ms <= 60_000
        assert (await bench.claim()).jobs == []

    async def test_jobs_that_were_claimed_together_are_not_deferred(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        await bench.claim("lost")

        assert (await bench.scripts.recover("lost", bench.queues, defer_ms=60_000))[0] == 2
        assert len((await bench.claim()).jobs) == 2

    async def test_hundreds_of_jobs_are_handed_back_in_one_call(self, bench: ScriptBench) -> None:
        await bench.enqueue(*map(str, range(1_001)))
        await bench.claim("lost", 2_000)

        assert (await bench.scripts.recover("lost", bench.queues))[0] == 1_001
        assert (await bench.counts())[:3] == (1_001, 1_001, 0)


class CountsContract:
    async def test_every_state_is_counted(self, bench: ScriptBench) -> None:
        dead = await bench.dead_count()
        await bench.enqueue("dead", "done", "running", "orphan")
        jobs = {job.job_id.decode().partition(":")[0]: job for job in (await bench.claim()).jobs}
        await bench.finish(jobs["dead"], "dead", record=b"dead letter")
        await bench.finish(jobs["done"])
        await bench.enqueue("due1", "due2")
        await bench.enqueue("deferred", delay_ms=LEASE_MS)
        await bench.let_lease_end("orphan")
        await bench.redis.zadd(bench.queue, {bench.id("due1"): 1_000, bench.id("due2"): 2_000})

        assert await bench.counts() == (5, 2, 2, 1_000)
        assert await bench.dead_count() == dead + 1

    async def test_the_oldest_due_time_ignores_jobs_in_flight(self, bench: ScriptBench) -> None:
        await bench.enqueue("orphan")
        await bench.claim()
        for key in (bench.queue, bench.queue + keys.LEASED_SUFFIX):
            await bench.redis.zadd(key, {bench.id("orphan"): 1})

        assert await bench.counts() == (1, 0, 1, -1)
        await bench.enqueue("due")
        await bench.redis.zadd(bench.queue, {bench.id("due"): 1_000})
        assert await bench.counts() == (2, 1, 1, 1_000)

    async def test_a_queue_that_does_not_exist_is_counted_as_empty(self, bench: ScriptBench) -> None:
        assert await bench.counts() == (0, 0, 0, -1)

    async def test_queues_are_counted_separately(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.enqueue("b", "c", queue=bench.bulk)

        counts = await bench.scripts.counts(bench.queues)

        assert {queue: counted.due for queue, counted in counts.queues.items()} == {
            bench.queue: 1,
            bench.bulk: 2,
        }
        assert abs(counts.now_ms - await bench.now_ms()) < 1_000
