"""What finish.lua tells the history of ended jobs, for a simulated and for a real Redis."""

from typing import Any

import pytest

from tests.redis_scripts.script_bench import OWNER, ScriptBench
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.ended_jobs import EndedJobs

FULL = 10_000


def completion(job: ClaimedJob, action: Any = "done", token: str = OWNER, **values: Any) -> Completion:
    """Return a completion with the trace of its job; only those that end a job have one."""
    outcome = {"done": "complete", "dead": "dead"}.get(action)
    trace = (job.job_id.decode(), "step", job.queue, outcome, 1, 1, 2, 3) if outcome else None
    return Completion(job.job_id, job.queue, token, action, **{"trace": trace, **values})


class HistoryContract:
    async def _told(self, bench: ScriptBench) -> list[tuple[str, str]]:
        """Return the jobs that have ended on the bench's queue with their outcomes, the latest first."""
        ends = [end async for group in EndedJobs(bench.redis).newest() for end in group.ends()]
        return [
            (past.end.job_id.partition(":")[0], past.end.outcome) for past in ends if past.end.queue == bench.queue
        ]

    async def test_what_ends_together_is_recorded_together_and_nothing_else_is(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b", "c", "d", "e")
        a, b, c, d, e = (await bench.claim()).jobs
        before = await EndedJobs(bench.redis).length()
        group = [
            completion(a),
            completion(b, "retry", delay_ms=60_000),
            completion(c, token="late:1"),
            completion(d, "dead", record=b"dead letter"),
            completion(e, "return", score=1),
        ]

        assert await bench.scripts.finish(group) == [True, True, False, True, True]

        assert await self._told(bench) == [("d", "dead"), ("a", "complete")]
        assert await EndedJobs(bench.redis).length() == before + 1

    async def test_a_group_that_is_repeated_is_told_once(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        jobs = (await bench.claim()).jobs
        group = [completion(job) for job in jobs]

        await bench.scripts.finish(group)
        assert await bench.scripts.finish(group) == [False, False]

        assert await self._told(bench) == [("b", "complete"), ("a", "complete")]

    async def test_a_repeated_group_tells_what_its_first_call_did_not_reach(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        a, b = (await bench.claim()).jobs
        await bench.scripts.finish([completion(a)])

        await bench.scripts.finish([completion(a), completion(b)])

        assert await self._told(bench) == [("b", "complete"), ("a", "complete")]

    async def test_a_dead_letter_whose_payload_had_gone_is_told_once(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", "b")
        job, other = (await bench.claim()).jobs
        await bench.redis.delete(keys.JOB + bench.id("a"))
        dead = completion(job, "dead", record=b"dead letter", payload=job.payload)

        await bench.scripts.finish([dead])
        await bench.redis.delete(keys.DEAD_PAYLOAD + bench.id("a"))
        await bench.scripts.finish([dead, completion(other)])

        assert await self._told(bench) == [("b", "complete"), ("a", "dead")]

    async def test_a_dead_letter_that_its_lost_owner_has_done_is_told_as_done_too(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        frozen = await bench.claim_one("frozen:1")
        await bench.let_lease_end("a")
        dead = completion(await bench.claim_one(), "dead", record=b'{"lost_by":["frozen:1"]}')
        assert await bench.scripts.finish([dead]) == [True]

        assert await bench.scripts.finish([completion(frozen, token="frozen:1")]) == [True]

        assert await self._told(bench) == [("a", "complete"), ("a", "dead")]

    async def test_without_traces_nothing_is_recorded(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        before = await EndedJobs(bench.redis).length()

        await bench.finish(await bench.claim_one())

        assert await EndedJobs(bench.redis).length() == before

    async def test_a_stream_that_is_full_keeps_no_job_from_ending_and_counts_what_it_lacks(
        self, bench: ScriptBench
    ) -> None:
        ended = EndedJobs(bench.redis)
        await ended.take_left_out()
        async with bench.redis.pipeline(transaction=False) as pipe:
            for _ in range(FULL):
                pipe.xadd(keys.ENDED, {"t": "[]"})
            filled = await pipe.execute()
        await bench.enqueue("a", "b", "c")
        a, b, c = (await bench.claim()).jobs

        assert await bench.scripts.finish([completion(a), completion(b)]) == [True, True]
        assert await bench.scripts.finish([completion(c)]) == [True]

        assert await self._told(bench) == []
        assert await bench.places_of("a") == set()
        assert await ended.take_left_out() == 3
        assert await ended.take_left_out() == 0
        # The number's key may be another program's.
        await bench.redis.rpush(keys.ENDED_LEFT_OUT, "foreign")
        await bench.enqueue("d")
        assert await bench.scripts.finish([completion(await bench.claim_one())]) == [True]
        assert await bench.redis.lrange(keys.ENDED_LEFT_OUT, 0, -1) == [b"foreign"]
        await bench.redis.delete(keys.ENDED_LEFT_OUT)
        await bench.redis.xdel(keys.ENDED, *filled)

    @pytest.mark.parametrize("stored", [b"many", None])
    async def test_keys_of_another_type_keep_no_job_from_ending(
        self, bench: ScriptBench, stored: bytes | None
    ) -> None:
        await bench.redis.delete(keys.ENDED, keys.ENDED_LEFT_OUT)
        await (
            bench.redis.set(keys.ENDED, "foreign")
            if stored is None
            else bench.redis.set(keys.ENDED_LEFT_OUT, stored)
        )
        await bench.enqueue("a")

        assert await bench.scripts.finish([completion(await bench.claim_one())]) == [True]

        assert await bench.places_of("a") == set()
        await bench.redis.delete(keys.ENDED, keys.ENDED_LEFT_OUT)

    async def test_entries_of_other_programs_are_passed_over(self, bench: ScriptBench) -> None:
        ended = EndedJobs(bench.redis)
        await bench.redis.delete(keys.ENDED)
        foreign: list[dict[str, Any]] = [
            {"t": "[]"}, {"t": "{}"}, {"t": "[1]"}, {"other": "x"}, {"t": b"\xff"}, {"t": '["w"', "x": "a"},
        ]  # fmt: skip
        for fields in foreign:
            await bench.redis.xadd(keys.ENDED, fields)
        await bench.redis.xadd(keys.ENDED, {"t": '["w", ["a", 7]]', "x": "1 99 -1 text"})
        await bench.redis.xadd(keys.ENDED, {"t": '["w", ["later", "step"]]'}, id="99999999999999999-0")

        assert [group.worker async for group in ended.newest() if not group.ends()] == ["w"]
        assert [group is None for _, group in await ended.oldest(100)] == [True] * 6 + [False, True]
        await ended.delete([entry_id for entry_id, _ in await ended.oldest(100)])
        assert await ended.length() == 0
        await bench.redis.delete(keys.ENDED)
