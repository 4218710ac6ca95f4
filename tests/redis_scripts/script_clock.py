"""Contract of all scripts: Redis's clock decides what is due, and is no less late when it was set back."""

import asyncio

import pytest

from tests.redis_scripts.script_bench import LEASE_MS, OWNER, ScriptBench
from tests.support.redis_clock import set_clock_back
from worker.queue import keys
from worker.queue.completion import Completion

BACK_MS = 120_000
NOTED_EVERY_MS = 1_000


class ClockContract:
    """The clock is set back by two minutes unless a test says otherwise."""

    async def test_the_scripts_and_the_clock_module_agree(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        for step_ms in (0, BACK_MS, 10_000, 3_600_000):
            await bench.set_clock_back(step_ms)
            before = await bench.now_ms()
            claimed = (await bench.claim("none", wanted=0)).now_ms
            counted = (await bench.scripts.counts([])).now_ms
            assert before <= claimed <= counted <= await bench.now_ms()

    async def test_due_jobs_stay_due_although_no_worker_was_heard(self, bench: ScriptBench) -> None:
        await bench.enqueue(*(f"job{number}" for number in range(30)))
        await bench.set_clock_back(BACK_MS)

        assert (await bench.counts()).due == 30
        assert len((await bench.claim()).jobs) == 30

    async def test_due_jobs_stay_due_beside_a_worker(self, bench: ScriptBench) -> None:
        await bench.claim()
        await bench.enqueue(*(f"job{number}" for number in range(30)))
        await set_clock_back(bench.redis, BACK_MS, bench.queues)

        # What came since the time was last noted may have to wait for as long.
        claim = await bench.claim()
        assert len(claim.jobs) == 30 or claim.next_due_ms - claim.now_ms <= NOTED_EVERY_MS

    async def test_new_jobs_are_due_at_once_and_deferred_ones_after_their_delay(self, bench: ScriptBench) -> None:
        await bench.enqueue("before")
        await bench.set_clock_back(BACK_MS)
        await bench.enqueue("now")
        await bench.enqueue("later", delay_ms=10_000)

        claim = await bench.claim()
        assert len(claim.jobs) == 2
        assert 9_000 < claim.next_due_ms - claim.now_ms <= 10_000

    async def test_time_passes_at_nearly_its_pace_until_redis_has_caught_up(self, bench: ScriptBench) -> None:
        await bench.claim()
        await bench.set_clock_back(BACK_MS)
        before = (await bench.claim()).now_ms
        # As if 100 s had passed since.
        noted = int(await bench.redis.hget(keys.CLOCK, "noted"))
        await bench.redis.hset(keys.CLOCK, "noted", noted - 100_000)
        ahead = int(await bench.redis.hget(keys.CLOCK, "ahead"))
        passed = await bench.now_ms() + 100_000 - before

        assert 90_000 <= passed < 95_000
        assert (await bench.claim()).now_ms >= before - 100_000 + passed
        assert int(await bench.redis.hget(keys.CLOCK, "ahead")) < ahead

    async def test_a_running_job_keeps_its_owner(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.set_clock_back(BACK_MS)

        assert (await bench.claim("other")).jobs == []
        assert await bench.renew(job) == []
        assert (await bench.claim("other")).jobs == []
        assert await bench.finish(job)

    async def test_the_jobs_of_a_dead_owner_are_taken_when_their_leases_end(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.claim_one("dead owner")
        await bench.set_clock_back(BACK_MS)
        # Its lease ends; the in-progress key lives on for as long as the clock was set back.
        ended = {bench.id("a"): await bench.now_ms() - 1}
        for key in (bench.queue, bench.queue + keys.LEASED_SUFFIX):
            await bench.redis.zadd(key, ended, xx=True)
        assert await bench.redis.pttl(keys.IN_PROGRESS + bench.id("a")) > LEASE_MS

        assert (await bench.claim_one("other")).crashes == 1
        assert await bench.redis.get(keys.IN_PROGRESS + bench.id("a")) == b"other"

    async def test_a_job_that_an_abort_made_due_keeps_its_owner(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        # Like arq's `Job.abort`.
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        assert (await bench.claim("other")).jobs == []
        assert await bench.finish(job)

    async def test_a_job_that_a_stock_worker_runs_keeps_its_owner(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.stock_worker_claims("a")
        await bench.set_clock_back(BACK_MS)

        assert (await bench.claim("other")).jobs == []

    async def test_a_retry_is_due_after_its_delay(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        jobs = (await bench.claim()).jobs
        await bench.set_clock_back(BACK_MS)
        completions = [
            Completion.retry(job, OWNER, delay_ms=delay) for job, delay in zip(jobs, (0, 5_000), strict=True)
        ]
        assert await bench.scripts.finish(completions) == [True, True]

        claim = await bench.claim()
        assert len(claim.jobs) == 1
        assert 4_000 < claim.next_due_ms - claim.now_ms <= 5_000

    async def test_a_clock_that_was_a_day_ahead_for_a_moment_stops_nothing(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.set_clock_back(86_400_000)
        await bench.enqueue("b")

        assert len(await bench.claimed_names()) == 2

    async def test_several_steps_back_are_added_up(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        for _ in range(5):
            await bench.set_clock_back(BACK_MS)
            await bench.counts()

        assert await bench.claimed_names() == ["a"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"noted": "soon", "ahead": "0"},
            {"noted": "nan", "ahead": "nan"},
            {"noted": "inf", "ahead": "0"},
            {"noted": "0", "ahead": str(10**18)},
            {"noted": "0", "ahead": "-1000000000000000"},
            {"noted": ""},
        ],
    )
    async def test_a_value_that_no_script_wrote_is_ignored(
        self, bench: ScriptBench, fields: dict[str, str]
    ) -> None:
        await bench.redis.hset(keys.CLOCK, mapping=fields)
        await bench.enqueue("a")

        claim = await bench.claim()
        assert len(claim.jobs) == 1
        assert abs(claim.now_ms - await bench.redis_ms()) < 10_000
        assert int(await bench.redis.hget(keys.CLOCK, "ahead")) == 0

    async def test_the_time_is_noted_once_a_second(self, bench: ScriptBench) -> None:
        await bench.counts()
        noted = await bench.redis.hget(keys.CLOCK, "noted")
        await asyncio.sleep(0.01)
        await bench.counts()
        assert await bench.redis.hget(keys.CLOCK, "noted") == noted
        await bench.redis.hset(keys.CLOCK, "noted", int(noted) - NOTED_EVERY_MS)
        await bench.counts()
        assert int(await bench.redis.hget(keys.CLOCK, "noted")) >= int(noted)
