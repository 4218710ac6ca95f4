"""The contract of wait.lua, and of what finish.lua tells those who wait, for a simulated and for a real Redis."""

from typing import Any

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from worker.codec import Codec
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.queue.waiters import Waiters

_SOON = 0.01


class WaitContract:
    @pytest.fixture
    def waiters(self, bench: ScriptBench) -> Waiters:
        return Waiters(bench.redis, Codec())

    async def _noted(self, bench: ScriptBench, *waiters: Waiters, name: str = "a") -> ClaimedJob:
        """Return a job that runs while these producers wait for it."""
        await bench.enqueue(name)
        for each in waiters:
            assert await each.over([bench.id(name)], note=True) == ([], False)
        return await bench.claim_one()

    @pytest.mark.parametrize(
        ("action", "values"),
        [("done", {"result": b"r", "result_life_ms": -1}), ("done", {}), ("dead", {"record": b"dead letter"})],
    )
    async def test_the_end_of_a_job_is_notified_once(
        self, bench: ScriptBench, waiters: Waiters, action: Any, values: dict[str, Any]
    ) -> None:
        job = await self._noted(bench, waiters)
        assert await bench.finish(job, action, **values)

        assert await waiters.wait(_SOON) == [bench.id("a")]
        assert await waiters.wait(_SOON) == []
        assert not await bench.redis.exists(keys.WAITER + bench.id("a"))

    async def test_every_producer_that_waits_is_notified(self, bench: ScriptBench, waiters: Waiters) -> None:
        other, unconcerned = Waiters(bench.redis, Codec()), Waiters(bench.redis, Codec())
        job = await self._noted(bench, waiters, other, other)
        await unconcerned.over([bench.id("b")], note=True)
        await bench.finish(job)

        assert [await each.wait(_SOON) for each in (waiters, other, unconcerned)] == [*[[bench.id("a")]] * 2, []]

    async def test_all_jobs_of_a_group_are_notified_together(self, bench: ScriptBench, waiters: Waiters) -> None:
        names = [f"{number}" for number in range(60)]
        ids = [bench.id(name) for name in names]
        await bench.enqueue(*names)
        await waiters.over(ids, note=True)
        for job in (await bench.claim()).jobs:
            await bench.finish(job)

        assert sorted(await waiters.wait(_SOON)) == sorted(ids)

    @pytest.mark.parametrize("action", ["retry", "return"])
    async def test_a_job_that_will_run_again_is_not_notified(
        self, bench: ScriptBench, waiters: Waiters, action: Any
    ) -> None:
        job = await self._noted(bench, waiters)
        await bench.finish(job, action)
        assert await waiters.wait(_SOON) == []

        await bench.finish(await bench.claim_one())
        assert await waiters.wait(_SOON) == [bench.id("a")]

    async def test_a_job_dropped_by_a_cancelled_batch_is_notified(
        self, bench: ScriptBench, waiters: Waiters
    ) -> None:
        batch = bench.id("batch").replace(":", "-")
        await bench.batches.create(batch, None)
        await bench.enqueue("a", batch=batch)
        await waiters.over([bench.id("a")], note=True)
        job = await bench.claim_one()
        await bench.batches.cancel(batch)
        await bench.finish(job, "retry", batch=batch)

        assert await waiters.wait(_SOON) == [bench.id("a")]

    async def test_a_refused_completion_tells_nobody(self, bench: ScriptBench, waiters: Waiters) -> None:
        job = await self._noted(bench, waiters)
        assert not await bench.finish(job, token="another")

        assert await waiters.wait(_SOON) == []

    async def test_jobs_that_have_ended_or_are_unknown_need_no_waiting(
        self, bench: ScriptBench, waiters: Waiters
    ) -> None:
        await bench.enqueue("dead", "done")
        for job, action in zip((await bench.claim()).jobs, ("dead", "done"), strict=True):
            await bench.finish(job, action, record=b"letter", result=b"result", result_life_ms=-1)
        await bench.enqueue("waits")
        names = ["waits", "dead", "unknown", "done"]
        ids = [bench.id(name) for name in names]

        assert await waiters.over(ids, note=True) == (ids[1:], False)
        assert [bool(await bench.redis.exists(keys.WAITER + each)) for each in ids] == [True, False, False, False]

    async def test_an_end_without_a_notice_is_seen(self, bench: ScriptBench, waiters: Waiters) -> None:
        await self._noted(bench, waiters)
        await bench.stock_worker_completes("a")

        assert await waiters.wait(_SOON) == []
        assert await waiters.over([bench.id("a")], note=False) == ([bench.id("a")], True)
        assert not await bench.redis.exists(keys.WAITER + bench.id("a"))

    async def test_a_look_notes_nothing(self, bench: ScriptBench, waiters: Waiters) -> None:
        await bench.enqueue("a")
        assert await waiters.over([bench.id("a")], note=False) == ([], False)
        assert not await bench.redis.exists(keys.WAITER + bench.id("a"))

    async def test_notes_and_notices_expire(self, bench: ScriptBench, waiters: Waiters) -> None:
        job = await self._noted(bench, waiters)
        assert 55_000 < await bench.redis.pttl(keys.WAITER + bench.id("a")) <= 60_000
        assert 55_000 < await bench.redis.pttl(keys.WAITERS) <= 60_000
        await bench.finish(job)
        notices = keys.NOTICES + waiters.name
        assert 55 < await bench.redis.ttl(notices) <= 60

    async def test_nothing_is_written_if_nobody_waits(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await bench.redis.delete(keys.WAITERS)
        # Without the key that says that somebody waits, it is not even looked for.
        await bench.redis.set(keys.WAITER + bench.id("a"), "somebody")
        await bench.finish(await bench.claim_one())

        assert not await bench.redis.exists(keys.NOTICES + "somebody")

    async def test_keys_of_another_type_keep_no_job_from_ending(self, bench: ScriptBench, waiters: Waiters) -> None:
        other = Waiters(bench.redis, Codec())
        job = await self._noted(bench, waiters, other)
        await bench.redis.set(keys.NOTICES + waiters.name, "x")
        assert await bench.finish(job)
        assert await other.wait(_SOON) == [bench.id("a")]

        job = await self._noted(bench, waiters, name="b")
        await bench.redis.delete(keys.WAITER + bench.id("b"), keys.WAITERS)
        await bench.redis.rpush(keys.WAITER + bench.id("b"), "x")
        await bench.redis.rpush(keys.WAITERS, "x")
        assert await bench.finish(job)
        assert await waiters.over([bench.id("b")], note=True) == ([bench.id("b")], False)

    async def test_a_note_does_not_grow_without_end(self, bench: ScriptBench, waiters: Waiters) -> None:
        await bench.enqueue("a")
        await bench.redis.set(keys.WAITER + bench.id("a"), "x" * 2_000)
        await waiters.over([bench.id("a")], note=True)

        assert await bench.redis.get(keys.WAITER + bench.id("a")) == waiters.name.encode()
