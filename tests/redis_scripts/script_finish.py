"""What finish promises on any Redis."""

from typing import Any

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from worker.queue import keys
from worker.queue.scripts import Completion, Enqueue

ACTIONS = ["done", "dead", "retry", "return"]


class FinishContract:
    @pytest.mark.parametrize("action", ["retry", "return"])
    async def test_a_counter_that_is_no_number_is_begun_anew(self, bench: ScriptBench, action: Any) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.set(keys.TRIES + bench.id("a"), "many")

        assert await bench.finish(job, action, tries="spend")

        assert await bench.tries("a") == 1
        assert 0 < await bench.redis.ttl(keys.TRIES + bench.id("a")) <= 30 * 86_400

    async def test_done_leaves_the_result_alone(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.zadd(keys.ABORT, {bench.id("a"): 1})
        await bench.claim("dies")
        await bench.let_lease_end("a")
        job = await bench.claim_one()
        await bench.finish(job, "retry", record=b"history")
        job = await bench.claim_one()

        assert await bench.finish(job, result=b"result", result_life_ms=30_000)

        assert await bench.left_of("a") == {keys.RESULT}
        assert await bench.redis.get(keys.RESULT + bench.id("a")) == b"result"
        assert 29_000 < await bench.redis.pttl(keys.RESULT + bench.id("a")) <= 30_000

    @pytest.mark.parametrize(("life_ms", "left", "ttl"), [(0, set(), -2), (-1, {keys.RESULT}, -1)])
    async def test_results_are_kept_not_at_all_or_for_ever(
        self, bench: ScriptBench, life_ms: int, left: set[str], ttl: int
    ) -> None:
        await bench.enqueue("a")

        await bench.finish(await bench.claim_one(), result=b"result", result_life_ms=life_ms)

        assert await bench.left_of("a") == left
        assert await bench.redis.pttl(keys.RESULT + bench.id("a")) == ttl

    @pytest.mark.parametrize("action", ["done", "dead"])
    @pytest.mark.parametrize("due", [20_000, -20_000], ids=["dropped", "waits"])
    async def test_an_id_stays_taken_for_a_while(self, bench: ScriptBench, action: Any, due: int) -> None:
        await bench.enqueue("a")

        await bench.finish(
            await bench.claim_one(), action, due=due, record=b"dead letter" if action == "dead" else b""
        )

        left = {keys.IN_PROGRESS} | ({keys.DEAD, "dead index"} if action == "dead" else set())
        assert await bench.left_of("a") == left
        assert 19_000 < await bench.redis.pttl(keys.IN_PROGRESS + bench.id("a")) <= 20_000

    @pytest.mark.parametrize(("due", "places"), [(20_000, set()), (-20_000, {keys.JOB, "queue"})])
    async def test_what_comes_under_an_id_that_is_taken_is_dropped_or_waits(
        self, bench: ScriptBench, due: int, places: set[str]
    ) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), due=due)
        await bench.enqueue("a", "b")

        claim = await bench.claim()

        assert [job.job_id.decode() for job in claim.jobs] == [bench.id("b")]
        assert await bench.left_of("a") == places | {keys.IN_PROGRESS}

    async def test_a_dead_letter_whose_id_is_taken_can_be_put_back(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "dead", due=20_000, record=b"dead letter")

        assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"payload")]) == 1

        assert (await bench.claim_one()).job_id.decode() == bench.id("a")

    async def test_what_lies_in_the_place_of_the_index_of_dead_letters_is_replaced(
        self, bench: ScriptBench
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.delete(keys.DEAD_INDEX)
        await bench.redis.set(keys.DEAD_INDEX, "no index")

        assert await bench.finish(job, "dead", record=b"dead letter")

        assert await bench.left_of("a") == {keys.DEAD, "dead index"}

    async def test_dead_keeps_the_dead_letter_its_time_and_its_history(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "retry", record=b"first")
        before = await bench.now_ms()

        await bench.finish(await bench.claim_one(), "dead", record=b"dead letter", result=b"r", result_life_ms=-1)

        job_id = bench.id("a")
        assert await bench.left_of("a") == {keys.DEAD, "dead index", keys.RESULT, keys.HISTORY}
        assert await bench.redis.hget(keys.DEAD, job_id) == b"dead letter"
        assert before <= await bench.redis.zscore(keys.DEAD_INDEX, job_id) <= await bench.now_ms()
        assert await bench.history("a") == [b"first"]

    async def test_a_retry_spends_a_try_and_waits(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        assert await bench.finish(await bench.claim_one(), "retry", due=20_000.5, record=b"first")

        assert await bench.left_of("a") == {keys.JOB, keys.TRIES, keys.HISTORY, "queue"}
        assert 19_000 < await bench.due_in_ms("a") <= 20_001
        assert await bench.tries("a") == 1
        await bench.make_due("a")
        job = await bench.claim_one()
        assert (job.tries, job.crashes) == (2, 0)
        await bench.finish(job, "retry", record=b"second")
        assert await bench.history("a") == [b"first", b"second"]

    async def test_a_retry_can_keep_the_try(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), "retry", record=b"x")

        await bench.finish(await bench.claim_one(), "retry", tries="keep", record=b"x")

        assert await bench.tries("a") == 1
        assert (await bench.claim_one()).tries == 2

    async def test_a_first_try_that_is_kept_leaves_no_counter(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        await bench.finish(await bench.claim_one(), "return", due=1, tries="keep")

        assert await bench.left_of("a") == {keys.JOB, "queue"}

    async def test_history_keeps_the_latest_entries(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        for number in range(25):
            await bench.finish(await bench.claim_one(), "retry", record=str(number).encode())

        assert await bench.history("a") == [str(number).encode() for number in range(5, 25)]

    async def test_a_history_of_another_type_does_not_hold_up_the_group(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.set(keys.HISTORY + bench.id("a"), "x")

        assert await bench.finish(await bench.claim_one(), "retry", record=b"first")
        assert await bench.history("a") == [b"first"]

    async def test_a_returned_job_has_its_old_place(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1.5, bench.id("b"): 2})
        job = (await bench.claim(wanted=1)).jobs[0]

        assert await bench.finish(job, "return", due=job.score, tries="keep")

        jobs = (await bench.claim()).jobs
        assert [(job.job_id.decode(), job.score) for job in jobs] == [
            (bench.id("a"), 1.5),
            (bench.id("b"), 2),
        ]

    @pytest.mark.parametrize(("action", "due", "rings"), [("return", 1, 1), ("retry", 0, 1), ("retry", 9_000, 0)])
    async def test_the_bell_is_rung_for_what_is_due_again(
        self, bench: ScriptBench, action: str, due: float, rings: int
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)

        await bench.finish(job, action, due=due, record=b"")

        assert await bench.bells() == rings

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_late_owner_changes_nothing(self, bench: ScriptBench, action: str) -> None:
        await bench.enqueue("a")
        late = await bench.claim_one("late")
        await bench.let_lease_end("a")
        await bench.claim("heir")
        before = await self._state(bench)

        assert not await bench.finish(late, action, "late", result=b"r", result_life_ms=-1, record=b"dead letter")

        assert await self._state(bench) == before

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_job_that_a_stock_worker_holds_is_not_changed(self, bench: ScriptBench, action: str) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")
        await bench.stock_worker_takes("a")
        before = await self._state(bench)

        assert not await bench.finish(job, action, result=b"r", result_life_ms=-1, record=b"dead letter")

        assert await self._state(bench) == before

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_job_that_a_stock_worker_has_ended_does_not_come_back(
        self, bench: ScriptBench, action: str
    ) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")
        await bench.stock_worker_ends("a")

        assert not await bench.finish(job, action, result=b"r", result_life_ms=-1, record=b"dead letter")
        assert await bench.left_of("a") == {keys.LEASES, "leased"}

    async def test_an_owner_is_not_late_as_long_as_nobody_has_taken_over(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.let_lease_end("a")

        assert await bench.finish(job)
        assert await bench.left_of("a") == set()

    async def test_a_completion_counts_once(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()

        assert await bench.finish(job, "retry")
        assert not await bench.finish(job, "retry")
        assert await bench.tries("a") == 1

    async def test_each_completion_of_a_group_is_judged_alone(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b", "c")
        jobs = (await bench.claim()).jobs
        tokens = ["token", "wrong", "token"]

        applied = await bench.scripts.finish(
            Completion(job.job_id, job.queue, token, "done") for job, token in zip(jobs, tokens, strict=True)
        )

        assert applied == [True, False, True]
        assert await bench.left_of(jobs[1].job_id.decode().partition(":")[0]) >= {keys.JOB, "queue"}

    async def _state(self, bench: ScriptBench) -> dict[str, Any]:
        job_id = bench.id("a")
        return {
            "left": await bench.left_of("a"),
            "score": await bench.redis.zscore(bench.queue, job_id),
            "holder": await bench.redis.get(keys.IN_PROGRESS + job_id),
            "owner": await bench.redis.hget(keys.LEASES, job_id),
            "tries": await bench.tries("a"),
            "counts": await bench.counts(),
        }
