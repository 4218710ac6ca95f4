"""The contracts of enqueue.lua and redrive.lua, for a simulated and for a real Redis."""

import pytest
from redis.exceptions import ResponseError

from tests.redis_scripts.script_bench import LEASE_MS, ScriptBench
from worker.queue import keys
from worker.queue.scripts import Enqueue, Full


class EnqueueContract:
    async def test_a_new_job_is_enqueued_with_its_payload(self, bench: ScriptBench) -> None:
        assert await bench.enqueue("a", payload=b"\x00\xffbytes") == ["new"]

        job = await bench.claim_one()
        assert (job.job_id, job.queue, job.payload) == (
            bench.id("a").encode(),
            bench.queue,
            b"\x00\xffbytes",
        )

    async def test_repeating_a_call_with_the_same_payload_adds_no_job(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        assert await bench.enqueue("a") == ["new"]
        await bench.claim()
        assert await bench.enqueue("a") == ["new"]
        assert await bench.redis.zcard(bench.queue) == 1

    async def test_another_payload_for_the_same_id_changes_nothing_and_returns_the_jobs_state(
        self, bench: ScriptBench
    ) -> None:
        await bench.enqueue("a")

        assert await bench.enqueue("a", payload=b"other") == ["queued"]
        job = await bench.claim_one()
        assert await bench.enqueue("a", payload=b"other") == ["running"]
        assert job.payload == b"payload"
        assert (await bench.claim("another")).jobs == []

    async def test_enqueue_returns_done_while_the_result_is_kept(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), result=b"result", result_life_ms=LEASE_MS)

        assert await bench.enqueue("a") == ["done"]
        assert await bench.places_of("a") == {keys.RESULT}

    @pytest.mark.parametrize("life_ms", [0, LEASE_MS])
    async def test_enqueue_returns_dead_for_the_id_of_a_dead_letter(self, bench: ScriptBench, life_ms: int) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.finish(job, "dead", record=b"dead letter", result=b"error", result_life_ms=life_ms)

        assert await bench.enqueue("a") == ["dead"]
        assert (await bench.claim()).jobs == []

    async def test_a_full_queue_takes_no_new_job_and_leaves_nothing_of_it(self, bench: ScriptBench) -> None:
        assert await bench.enqueue("a", "b", "c", "d", bound=2) == ["new", "new", Full(2, 2)]

        assert await bench.places_of("c") == await bench.places_of("d") == set()
        assert await bench.enqueue("c", bound=2) == [Full(2, 2)]
        assert await bench.enqueue("c", bound=1) == [Full(2, 1)]
        assert await bench.enqueue("c", bound=3) == ["new"]

    async def test_jobs_that_a_full_queue_knows_are_told_as_ever(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")

        assert await bench.enqueue("a", bound=2) == ["new"]
        assert await bench.enqueue("b", payload=b"other", bound=2) == ["queued"]

    async def test_running_jobs_do_not_wait_and_deferred_ones_do(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.enqueue("later", delay_ms=60_000)
        await bench.claim()

        assert await bench.enqueue("b", "c", bound=2) == ["new", Full(2, 2)]

    async def test_a_bound_holds_for_its_own_queue(self, bench: ScriptBench) -> None:
        jobs = [Enqueue(bench.id(name), queue, b"") for name in "abc" for queue in [bench.queue, bench.bulk]]
        jobs = [job._replace(job_id=f"{job.job_id}{job.queue}") for job in jobs]

        answers = await bench.scripts.enqueue(jobs, bounds={bench.bulk: 2, "another": 1})

        assert answers == ["new", "new", "new", "new", "new", Full(2, 2)]

    async def test_a_full_queue_adds_nothing_to_a_batch(self, bench: ScriptBench) -> None:
        batch = bench.id("batch")
        await bench.batches.create(batch, None)

        assert await bench.enqueue("a", "b", batch=batch, bound=1) == ["new", Full(1, 1)]

        assert (await bench.batches.progress(batch)).total == 1

    async def test_one_call_returns_the_state_of_each_job(self, bench: ScriptBench) -> None:
        await bench.enqueue("b", payload=b"other")

        assert await bench.enqueue("a", "b", "a") == ["new", "queued", "new"]

    async def test_a_delay_is_counted_by_the_clock_of_redis(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", delay_ms=30_000)

        assert 29_000 < await bench.due_in_ms("a") <= 30_000
        claim = await bench.claim()
        assert claim.jobs == []
        assert 29_000 < claim.next_due_ms - claim.now_ms <= 30_000

    async def test_remains_of_an_earlier_job_do_not_affect_a_new_job_with_its_id(self, bench: ScriptBench) -> None:
        redis, job_id = bench.redis, bench.id("a")
        await redis.set(keys.TRIES + job_id, 7)
        await redis.rpush(keys.HISTORY + job_id, "old")
        await redis.hset(keys.CRASHES, job_id, 2)
        await redis.hset(keys.LEASES, job_id, "dead owner")
        await redis.zadd(keys.ABORT, {job_id: 1})
        await redis.zadd(bench.queue + keys.LEASED_SUFFIX, {job_id: 1})

        await bench.enqueue("a")

        assert await bench.places_of("a") == {keys.JOB, "queue"}
        job = await bench.claim_one()
        assert (job.tries, job.crashes, job.abort_ms) == (1, 0, -1)

    async def test_many_jobs_cause_one_wakeup(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        await bench.enqueue("c")

        assert await bench.wakeups() == 1

    async def test_a_deferred_job_wakes_a_worker_which_learns_when_it_is_due(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", delay_ms=1_000)

        assert await bench.wakeups() == 1

    async def test_enqueueing_on_a_key_of_another_type_fails_and_leaves_nothing(self, bench: ScriptBench) -> None:
        await bench.redis.set(bench.queue, "x")

        with pytest.raises(ResponseError):
            await bench.enqueue("a")
        await bench.redis.delete(bench.queue)
        assert await bench.places_of("a") == set()

    async def test_payloads_never_expire(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", delay_ms=100 * 86_400_000)
        assert await bench.redis.pttl(keys.JOB + bench.id("a")) == -1

        await bench.make_due("a")
        assert await bench.finish(await bench.claim_one(), "retry", due=60_000)
        assert await bench.redis.pttl(keys.JOB + bench.id("a")) == -1


class RedriveContract:
    async def _dead_letter(self, bench: ScriptBench, name: str) -> None:
        await bench.enqueue(name)
        job = await bench.claim_one()
        await bench.finish(job, "dead", record=b"dead letter", result=b"error", result_life_ms=LEASE_MS)

    async def _redrive(self, bench: ScriptBench, *names: str, delay_ms: int = 0) -> int:
        return await bench.scripts.redrive(
            Enqueue(bench.id(name), bench.queue, b"payload", delay_ms) for name in names
        )

    async def test_a_redriven_dead_letter_is_a_new_job(self, bench: ScriptBench) -> None:
        dead = await bench.dead_count()
        await self._dead_letter(bench, "a")
        assert await bench.dead_count() == dead + 1
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)
        # Requested before the redrive, and meant for the job that failed.
        await bench.redis.zadd(keys.ABORT, {bench.id("a"): 1})

        assert await self._redrive(bench, "a") == 1

        assert await bench.places_of("a") == {keys.JOB, "queue"}
        assert (await bench.dead_count(), await bench.wakeups()) == (dead, 1)
        job = await bench.claim_one()
        assert (job.tries, job.crashes, job.payload) == (1, 0, b"payload")

    async def test_only_current_dead_letters_are_redriven(self, bench: ScriptBench) -> None:
        await self._dead_letter(bench, "a")

        assert await self._redrive(bench, "a", "never") == 1
        assert await self._redrive(bench, "a") == 0
        assert await bench.claimed_names() == ["a"]

    async def test_a_redrive_can_be_deferred(self, bench: ScriptBench) -> None:
        await self._dead_letter(bench, "a")

        await self._redrive(bench, "a", delay_ms=30_000)

        assert 29_000 < await bench.due_in_ms("a") <= 30_000

    async def test_a_waiting_job_with_the_id_of_a_dead_letter_is_not_overwritten(self, bench: ScriptBench) -> None:
        await self._dead_letter(bench, "a")
        # arq's own `enqueue_job` does not check for dead letters.
        await bench.redis.set(keys.JOB + bench.id("a"), b"newer")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        assert await self._redrive(bench, "a") == 0

        assert (await bench.claim_one()).payload == b"newer"
        assert keys.DEAD in await bench.places_of("a")
