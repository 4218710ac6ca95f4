"""The contract of rate limits in claim.lua, for a simulated and for a real Redis.

Time passes while a test runs, so what it expects is between what had come before its claim and what has come after.
"""

import math
from dataclasses import dataclass

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from worker.queue import keys
from worker.queue.claim import Claim

# A token every 50 s: none comes while a test runs. The bucket holds one.
SLOW = 0.02
# A token every 10 ms, of which the bucket holds ten.
QUICK = 100.0


@dataclass
class _Rated:
    """A queue with jobs and a rate."""

    bench: ScriptBench
    rate: float

    @property
    def key(self) -> str:
        return self.bench.queue + keys.RATE_SUFFIX

    async def claim(self, worker: str = "worker") -> Claim:
        return await self.bench.claim(f"{worker}:1", rates={self.bench.queue: self.rate})

    async def claimed(self, worker: str = "worker") -> int:
        return len((await self.claim(worker)).jobs)

    async def spend_to(self, ms_ago: int) -> int:
        """Let all tokens be spent up to an instant in the past; returns that instant."""
        instant = await self.bench.now_ms() - ms_ago
        await self.bench.redis.set(self.key, instant)
        return instant

    async def tokens(self, spent_to: float) -> int:
        """Return how many tokens have come since an instant."""
        return math.floor((await self.bench.now_ms() - spent_to) * self.rate / 1000 + 0.001)


async def rated(bench: ScriptBench, jobs: int, rate: float) -> _Rated:
    await bench.enqueue(*(f"job-{number}" for number in range(jobs)))
    return _Rated(bench, rate)


class RateLimitContract:
    @pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (3, 1), (10, 1), (25, 2), (100, 10), (333, 33)])
    async def test_a_full_bucket_gives_a_tenth_of_a_second_and_one_job_at_least(
        self, bench: ScriptBench, rate: float, burst: int
    ) -> None:
        assert await (await rated(bench, 50, rate)).claimed() == burst

    async def test_an_empty_bucket_gives_nothing_to_any_worker(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 10, SLOW)

        assert [await queue.claimed(f"worker-{number}") for number in range(4)] == [1, 0, 0, 0]
        assert (await bench.counts()).due == 9

    async def test_tokens_come_with_time(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 50, QUICK)
        spent_to = await queue.spend_to(ms_ago=45)

        least = await queue.tokens(spent_to)
        claimed = await queue.claimed()

        assert 4 <= min(10, least) <= claimed <= min(10, await queue.tokens(spent_to))

    async def test_no_part_of_a_token_is_lost_or_made(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 1_000, 700.0)
        began = await queue.spend_to(ms_ago=0)

        claimed, longest, before = 0, 0.0, began
        while claimed < 300:
            claimed += await queue.claimed()
            now = await bench.now_ms()
            longest, before = max(longest, now - before), now

        assert claimed <= await queue.tokens(began)
        # What comes while nobody claims for longer than the bucket holds is lost.
        assert longest > 90 or claimed >= (before - longest - began) * 0.7 - 1

    async def test_tokens_are_spent_only_for_jobs_that_are_taken(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 3, QUICK)

        began = await bench.now_ms()
        assert await queue.claimed() == 3
        await bench.enqueue(*(f"later-{number}" for number in range(50)))

        assert 7 <= await queue.claimed() <= 7 + await queue.tokens(began)

    @pytest.mark.parametrize("again", ["retry", "return", "lost"])
    async def test_each_start_of_a_job_takes_a_token(self, bench: ScriptBench, again: str) -> None:
        queue = await rated(bench, 1, SLOW)
        (job,) = (await queue.claim("one")).jobs
        if again == "lost":
            await bench.let_lease_end("job-0")
        else:
            assert await bench.finish(job, again, "one:1", due=job.score if again == "return" else 0)

        assert await queue.claimed("another") == 0
        await bench.redis.delete(queue.key)
        assert await queue.claimed("another") == 1

    @pytest.mark.parametrize(("rate", "each_ms"), [(0.02, 50_000), (10, 100), (1_000, 25)])
    async def test_the_answer_says_when_to_claim_again(
        self, bench: ScriptBench, rate: float, each_ms: float
    ) -> None:
        """When the next token comes, but not at each of very many."""
        queue = await rated(bench, 1_000, rate)
        spent_to: float = await queue.spend_to(ms_ago=0)

        claim = await queue.claim()

        spent_to += len(claim.jobs) * 1000 / rate
        assert math.floor(spent_to + each_ms) <= claim.next_due_ms <= claim.now_ms + each_ms + 1
        assert claim.next_due_ms > claim.now_ms

    async def test_without_a_job_that_waits_for_a_token_there_is_no_reason_to_claim_again(
        self, bench: ScriptBench
    ) -> None:
        queue = await rated(bench, 1, SLOW)

        for claim in [await queue.claim(), await queue.claim()]:
            # When the lease of the job ends that runs, which is later than the next token.
            assert claim.next_due_ms > claim.now_ms + 55_000

    async def test_a_worker_without_room_for_the_queue_is_not_told_of_tokens(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 2, SLOW)
        assert await queue.claimed() == 1

        claim = await bench.scripts.claim("token", 60_000, 5, [(bench.queue, 0)], rates={bench.queue: SLOW})

        assert claim.next_due_ms > claim.now_ms + 55_000

    async def test_the_answer_names_the_queue_whose_rate_holds_jobs_back(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 3, SLOW)
        await bench.enqueue("a", "b", queue=bench.bulk)

        # The first one takes a job, the second none.
        assert [(await queue.claim()).held_back for _ in range(2)] == [{bench.queue}] * 2

    @pytest.mark.parametrize(
        ("jobs", "wanted", "largest_answer"),
        [(5, 100, 100_000), (20, 3, 100_000), (20, 100, 1)],
        ids=["too few jobs", "too few slots", "too large an answer"],
    )
    async def test_a_queue_is_not_held_back_for_another_reason(
        self, bench: ScriptBench, jobs: int, wanted: int, largest_answer: int
    ) -> None:
        await rated(bench, jobs, QUICK)

        limits, rates = [(bench.queue, wanted)], {bench.queue: QUICK}
        claim = await bench.scripts.claim("token", 60_000, wanted, limits, largest_answer, rates)

        assert claim.jobs
        assert claim.held_back == frozenset()

    async def test_of_two_rates_the_higher_holds_for_both_together(self, bench: ScriptBench) -> None:
        higher = await rated(bench, 200, QUICK)
        lower = _Rated(bench, QUICK / 2)
        began = await bench.now_ms()

        claimed = 0
        for _ in range(50):
            claimed += await higher.claimed("one") + await lower.claimed("another")

        assert 10 <= claimed <= 10 + await higher.tokens(began)

    async def test_a_queue_that_is_named_twice_has_one_bucket(self, bench: ScriptBench) -> None:
        await bench.enqueue(*(f"job-{number}" for number in range(20)))

        twice = [(bench.queue, 6), (bench.bulk, 6), (bench.queue, 6)]
        claim = await bench.scripts.claim("token", 60_000, 20, twice, rates={bench.queue: QUICK})

        assert len(claim.jobs) == len({job.job_id for job in claim.jobs}) == 10

    async def test_another_queue_is_not_limited(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 5, SLOW)
        await bench.enqueue("a", "b", "c", queue=bench.bulk)

        claim = await queue.claim()

        assert sorted(job.queue for job in claim.jobs) == sorted([bench.queue, *[bench.bulk] * 3])
        assert not await bench.redis.exists(bench.bulk + keys.RATE_SUFFIX)

    async def test_a_paused_queue_spends_no_token(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 5, SLOW)
        await bench.redis.hset(keys.PAUSES, f"queue:{bench.queue}", "{}")
        try:
            claim = await queue.claim()
            assert (claim.jobs, claim.held_back) == ([], frozenset())
            assert not await bench.redis.exists(queue.key)
        finally:
            await bench.redis.hdel(keys.PAUSES, f"queue:{bench.queue}")

    @pytest.mark.parametrize("stored", ["noon", "nan", "-inf", "inf", "9" * 300, "-1"])
    async def test_a_text_that_no_worker_wrote_limits_nothing_for_longer_than_one_token(
        self, bench: ScriptBench, stored: str
    ) -> None:
        queue = await rated(bench, 50, QUICK)
        await bench.redis.set(queue.key, stored)

        claimed = await queue.claimed()
        while claimed < 11:
            claimed += await queue.claimed()

        assert float(await bench.redis.get(queue.key)) <= await bench.now_ms()

    async def test_a_key_of_another_type_is_replaced(self, bench: ScriptBench) -> None:
        queue = await rated(bench, 50, QUICK)
        await bench.redis.hset(queue.key, "foreign", 1)

        assert await queue.claimed() == 10
        assert float(await bench.redis.get(queue.key)) <= await bench.now_ms()

    async def test_an_idle_queue_leaves_nothing_behind(self, bench: ScriptBench) -> None:
        quick, slow = await rated(bench, 1, QUICK), _Rated(bench, SLOW)
        await quick.claim()
        assert 0 < await bench.redis.pttl(quick.key) <= 200

        await bench.enqueue("one more")
        await bench.redis.delete(quick.key)
        await slow.claim()
        # As long as the next token takes, at least.
        assert 50_000 < await bench.redis.pttl(slow.key) <= 100_000
