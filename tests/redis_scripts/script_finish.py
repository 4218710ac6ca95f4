"""The contract of finish.lua, for a simulated and for a real Redis."""

from typing import Any

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.scripts import Enqueue

ACTIONS = ["done", "dead", "retry", "return"]


class FinishContract:
    @pytest.mark.parametrize("action", ["retry", "return"])
    async def test_a_counter_of_tries_that_is_not_a_number_restarts(self, bench: ScriptBench, action: Any) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.set(keys.TRIES + bench.id("a"), "many")

        assert await bench.finish(job, action, tries="spend")

        assert await bench.tries("a") == 1
        assert 0 < await bench.redis.ttl(keys.TRIES + bench.id("a")) <= 30 * 86_400

    async def test_done_leaves_only_the_result(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.zadd(keys.ABORT, {bench.id("a"): 1})
        await bench.claim("dead owner")
        await bench.let_lease_end("a")
        job = await bench.claim_one()
        await bench.finish(job, "retry", record=b"history")
        job = await bench.claim_one()

        assert await bench.finish(job, result=b"result", result_life_ms=30_000)

        assert await bench.places_of("a") == {keys.RESULT}
        assert await bench.redis.get(keys.RESULT + bench.id("a")) == b"result"
        assert 29_000 < await bench.redis.pttl(keys.RESULT + bench.id("a")) <= 30_000

    @pytest.mark.parametrize(("life_ms", "places", "ttl"), [(0, set(), -2), (-1, {keys.RESULT}, -1)])
    async def test_a_result_can_be_dropped_or_kept_forever(
        self, bench: ScriptBench, life_ms: int, places: set[str], ttl: int
    ) -> None:
        await bench.enqueue("a")

        await bench.finish(await bench.claim_one(), result=b"result", result_life_ms=life_ms)

        assert await bench.places_of("a") == places
        assert await bench.redis.pttl(keys.RESULT + bench.id("a")) == ttl

    @pytest.mark.parametrize("action", ["done", "dead"])
    @pytest.mark.parametrize("due", [20_000, -20_000], ids=["dropped", "waits"])
    async def test_the_id_of_an_ended_job_stays_taken_for_its_hold_time(
        self, bench: ScriptBench, action: Any, due: int
    ) -> None:
        await bench.enqueue("a")

        await bench.finish(
            await bench.claim_one(), action, due=due, record=b"dead letter" if action == "dead" else b""
        )

        places = {keys.IN_PROGRESS} | ({keys.DEAD, "dead index"} if action == "dead" else set())
        assert await bench.places_of("a") == places
        assert 19_000 < await bench.redis.pttl(keys.IN_PROGRESS + bench.id("a")) <= 20_000

    @pytest.mark.parametrize(("due", "places"), [(20_000, set()), (-20_000, {keys.JOB, "queue"})])
    async def test_a_job_enqueued_under_a_taken_id_is_dropped_or_waits(
        self, bench: ScriptBench, due: int, places: set[str]
    ) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), due=due)
        await bench.enqueue("a", "b")

        claim = await bench.claim()

        assert [job.job_id.decode() for job in claim.jobs] == [bench.id("b")]
        assert await bench.places_of("a") == places | {keys.IN_PROGRESS}

    async def test_a_dead_letter_whose_id_is_taken_can_be_redriven(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "dead", due=20_000, record=b"dead letter")

        assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"payload")]) == 1

        assert (await bench.claim_one()).job_id.decode() == bench.id("a")

    async def _loses_leases(self, bench: ScriptBench, *owners: str) -> ClaimedJob:
        """Return the job that has been taken from each of these owners, as the next one has it."""
        await bench.enqueue("a")
        for owner in owners:
            await bench.claim_one(owner)
            await bench.let_lease_end("a")
        return await bench.claim_one("now:1")

    @pytest.mark.parametrize("heard", [False, True])
    async def test_a_job_that_keeps_losing_leases_is_done_when_one_of_their_owners_has_done_it(
        self, bench: ScriptBench, heard: bool
    ) -> None:
        job = await self._loses_leases(bench, "first:1", "second:1", "first:2")
        if heard:
            await bench.renew(job, token="second:1")

        assert await bench.finish(job, token="second:1", result=b"result", result_life_ms=-1)

        assert await bench.places_of("a") == {keys.RESULT}
        assert not await bench.redis.hexists(keys.CRASHES, job.job_id)
        assert not await bench.finish(job, token="now:1", result=b"other", result_life_ms=-1)
        assert await bench.redis.get(keys.RESULT + bench.id("a")) == b"result"

    @pytest.mark.parametrize(
        ("owners", "token", "action"),
        [
            (("first:1", "second:1"), "first:1", "done"),
            (("first:1", "second:1", "third:1"), "fourth:1", "done"),
            (("first:1", "second:1", "third:1"), "first", "done"),
            (("first:1", "second:1", "third:1"), "first:1", "retry"),
            (("first:1", "second:1", "third:1"), "first:1", "dead"),
        ],
    )
    async def test_any_other_late_completion_leaves_the_job_with_its_owner(
        self, bench: ScriptBench, owners: tuple[str, ...], token: str, action: Any
    ) -> None:
        job = await self._loses_leases(bench, *owners)

        assert not await bench.finish(job, action, token, record=b"late")

        assert await bench.redis.hget(keys.LEASES, job.job_id) == b"now:1"
        assert await bench.finish(job, token="now:1")

    async def _given_up(self, bench: ScriptBench) -> ClaimedJob:
        """Return a job as its frozen owner knows it, after another worker has dead-lettered it."""
        await bench.enqueue("a")
        frozen = await bench.claim_one("frozen:1")
        await bench.let_lease_end("a")
        job = await bench.claim_one("other:1")
        assert await bench.finish(job, "dead", "other:1", record=b'{"lost_by":["frozen:1"]}')
        return frozen

    async def test_a_dead_letter_of_a_job_that_its_lost_owner_has_done_is_removed(self, bench: ScriptBench) -> None:
        frozen = await self._given_up(bench)

        assert await bench.finish(frozen, token="frozen:1", result=b"result", result_life_ms=-1)

        assert await bench.places_of("a") == {keys.RESULT}
        assert await bench.redis.get(keys.RESULT + bench.id("a")) == b"result"
        assert not await bench.finish(frozen, token="frozen:1")

    @pytest.mark.parametrize(
        ("token", "action"), [("frozen:1", "retry"), ("frozen:1", "dead"), ("frozen", "done"), ("other:1", "done")]
    )
    async def test_any_other_late_completion_leaves_a_dead_letter(
        self, bench: ScriptBench, token: str, action: Any
    ) -> None:
        frozen = await self._given_up(bench)

        assert not await bench.finish(frozen, action, token, record=b"late")

        assert await bench.places_of("a") == {keys.DEAD, "dead index"}

    async def test_a_dead_letter_that_was_retried_is_a_new_job_to_its_lost_owner(self, bench: ScriptBench) -> None:
        frozen = await self._given_up(bench)
        await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"payload")])

        assert not await bench.finish(frozen, token="frozen:1")

        assert await bench.claimed_names() == ["a"]

    async def test_a_dead_letter_index_of_another_type_is_replaced(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.delete(keys.DEAD_INDEX)
        await bench.redis.set(keys.DEAD_INDEX, "not an index")

        assert await bench.finish(job, "dead", record=b"dead letter")

        assert await bench.places_of("a") == {keys.DEAD, "dead index"}

    async def test_dead_lettering_keeps_record_time_result_and_history(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "retry", record=b"first")
        before = await bench.now_ms()

        await bench.finish(await bench.claim_one(), "dead", record=b"dead letter", result=b"r", result_life_ms=-1)

        job_id = bench.id("a")
        assert await bench.places_of("a") == {keys.DEAD, "dead index", keys.RESULT, keys.HISTORY}
        assert await bench.redis.hget(keys.DEAD, job_id) == b"dead letter"
        assert before <= await bench.redis.zscore(keys.DEAD_INDEX, job_id) <= await bench.now_ms()
        assert await bench.history("a") == [b"first"]

    async def test_a_retry_spends_a_try_and_is_delayed(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        assert await bench.finish(await bench.claim_one(), "retry", due=20_000.5, record=b"first")

        assert await bench.places_of("a") == {keys.JOB, keys.TRIES, keys.HISTORY, "queue"}
        assert 19_000 < await bench.due_in_ms("a") <= 20_001
        assert await bench.tries("a") == 1
        await bench.make_due("a")
        job = await bench.claim_one()
        assert (job.tries, job.crashes) == (2, 0)
        await bench.finish(job, "retry", record=b"second")
        assert await bench.history("a") == [b"first", b"second"]

    async def test_a_retry_can_be_stored_without_spending_a_try(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "retry", record=b"x")

        await bench.finish(await bench.claim_one(), "retry", tries="keep", record=b"x")

        assert await bench.tries("a") == 1
        assert (await bench.claim_one()).tries == 2

    async def test_a_first_try_that_is_not_spent_leaves_no_counter(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        await bench.finish(await bench.claim_one(), "return", due=1, tries="keep")

        assert await bench.places_of("a") == {keys.JOB, "queue"}

    async def test_the_history_keeps_the_latest_20_entries(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        for number in range(25):
            await bench.finish(await bench.claim_one(), "retry", record=str(number).encode())

        assert await bench.history("a") == [str(number).encode() for number in range(5, 25)]

    async def test_a_history_key_of_another_type_does_not_block_the_group(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.set(keys.HISTORY + bench.id("a"), "x")

        assert await bench.finish(await bench.claim_one(), "retry", record=b"first")
        assert await bench.history("a") == [b"first"]

    async def test_a_returned_job_gets_its_old_place_in_the_queue(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1.5, bench.id("b"): 2})
        job = (await bench.claim(wanted=1)).jobs[0]

        assert await bench.finish(job, "return", due=job.score, tries="keep")

        jobs = (await bench.claim()).jobs
        assert [(job.job_id.decode(), job.score) for job in jobs] == [
            (bench.id("a"), 1.5),
            (bench.id("b"), 2),
        ]

    @pytest.mark.parametrize(("action", "due", "wakeups"), [("return", 1, 1), ("retry", 0, 1), ("retry", 9_000, 0)])
    async def test_a_job_that_is_due_again_wakes_a_worker(
        self, bench: ScriptBench, action: str, due: float, wakeups: int
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)

        await bench.finish(job, action, due=due, record=b"")

        assert await bench.wakeups() == wakeups

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_late_owner_changes_nothing(self, bench: ScriptBench, action: str) -> None:
        await bench.enqueue("a")
        late = await bench.claim_one("late")
        await bench.let_lease_end("a")
        await bench.claim("new owner")
        before = await self._state(bench)

        assert not await bench.finish(late, action, "late", result=b"r", result_life_ms=-1, record=b"dead letter")

        assert await self._state(bench) == before

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_job_that_a_stock_worker_runs_is_not_changed(self, bench: ScriptBench, action: str) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")
        await bench.stock_worker_claims("a")
        before = await self._state(bench)

        assert not await bench.finish(job, action, result=b"r", result_life_ms=-1, record=b"dead letter")

        assert await self._state(bench) == before

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_job_that_a_stock_worker_completed_is_not_restored(
        self, bench: ScriptBench, action: str
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")
        await bench.stock_worker_completes("a")

        assert not await bench.finish(job, action, result=b"r", result_life_ms=-1, record=b"dead letter")
        assert await bench.places_of("a") == {keys.LEASES, "leased"}

    async def test_a_job_can_be_completed_after_its_lease_if_no_other_worker_claimed_it(
        self, bench: ScriptBench
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")

        assert await bench.finish(job)
        assert await bench.places_of("a") == set()

    async def test_a_repeated_completion_is_refused(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()

        assert await bench.finish(job, "retry")
        assert not await bench.finish(job, "retry")
        assert await bench.tries("a") == 1

    async def test_each_completion_of_a_group_is_checked_separately(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b", "c")
        jobs = (await bench.claim()).jobs
        tokens = ["token", "wrong", "token"]

        applied = await bench.scripts.finish(
            Completion(job.job_id, job.queue, token, "done") for job, token in zip(jobs, tokens, strict=True)
        )

        assert applied == [True, False, True]
        assert await bench.places_of(jobs[1].job_id.decode().partition(":")[0]) >= {keys.JOB, "queue"}

    async def _state(self, bench: ScriptBench) -> dict[str, Any]:
        job_id = bench.id("a")
        return {
            "places": await bench.places_of("a"),
            "score": await bench.redis.zscore(bench.queue, job_id),
            "holder": await bench.redis.get(keys.IN_PROGRESS + job_id),
            "owner": await bench.redis.hget(keys.LEASES, job_id),
            "tries": await bench.tries("a"),
            "counts": await bench.counts(),
        }
