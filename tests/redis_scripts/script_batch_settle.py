"""The contract of cancelling and settling batches in the Lua scripts, for a simulated and for a real Redis."""

from typing import Any

import pytest

from tests.redis_scripts.script_batch import batch_id, completions, create, entry, progress
from tests.redis_scripts.script_bench import ScriptBench
from worker.errors import BatchClosed, BatchNotFound
from worker.queue import keys
from worker.queue.batches import BatchOutcome
from worker.queue.scripts import Enqueue


async def settle(bench: ScriptBench) -> None:
    def read_result(result: bytes) -> BatchOutcome:
        return "complete" if result == b"good" else "dead"

    await bench.batches.settle(batch_id(bench), read_result)


class BatchCancelContract:
    async def test_cancelling_drops_what_waits_and_lets_running_jobs_end(self, bench: ScriptBench) -> None:
        created = await create(bench, "running")
        running = await bench.claim_one()
        await bench.enqueue("waiting", batch=created)
        await bench.enqueue("deferred", batch=created, delay_ms=3_600_000)
        await bench.redis.zadd(keys.ABORT, {bench.id("waiting"): 1})

        assert await bench.batches.cancel(created) == 2

        found = await progress(bench)
        assert (found.state, found.dropped, found.total) == ("cancelling", 2, 3)
        assert await bench.places_of("waiting") == await bench.places_of("deferred") == set()
        assert await bench.finish(running, batch=entry(bench, rows=1))
        found = await progress(bench)
        assert (found.state, found.complete, found.dropped, found.counts) == ("cancelled", 1, 2, {"rows": 1})
        assert await completions(bench) == 1

    async def test_a_batch_of_which_no_job_runs_ends_when_it_is_cancelled(self, bench: ScriptBench) -> None:
        created = await create(bench, *map(str, range(1_700)))

        assert await bench.batches.cancel(created) == 1_700
        assert await bench.batches.cancel(created) == 0

        found = await progress(bench)
        assert (found.state, found.dropped) == ("cancelled", 1_700)
        assert await bench.claimed_names() == ["completion"]

    async def test_a_cancelled_batch_takes_no_more_jobs(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        running = await bench.claim_one()
        await bench.batches.cancel(created)
        await bench.redis.delete(keys.JOB + bench.id("a"))

        with pytest.raises(BatchClosed, match="cancelled"):
            await bench.enqueue("b", batch=created)
        assert await bench.enqueue("a", batch=created) == ["queued"]

        assert await bench.places_of("b") == set()
        assert keys.JOB not in await bench.places_of("a")
        assert await bench.finish(running, batch=entry(bench))

    async def test_an_ended_batch_cannot_be_cancelled(self, bench: ScriptBench) -> None:
        created = await create(bench, sealed=True)

        assert await bench.batches.cancel(created) == 0

        assert (await progress(bench)).state == "finished"

    @pytest.mark.parametrize("action", ["retry", "return"])
    async def test_a_job_of_a_cancelled_batch_does_not_run_again(self, bench: ScriptBench, action: Any) -> None:
        created = await create(bench, "a")
        running = await bench.claim_one()
        await bench.batches.cancel(created)

        assert await bench.finish(running, action, due=1, record=b"", batch=entry(bench, None))

        found = await progress(bench)
        assert (found.state, found.dropped) == ("cancelled", 1)
        assert await bench.places_of("a") == set()

    async def test_a_job_whose_owner_died_is_delivered_again_and_ends(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.claim("dead owner")
        await bench.let_lease_end("a")

        assert await bench.batches.cancel(created) == 0
        assert await bench.finish(await bench.claim_one(), batch=entry(bench))

        found = await progress(bench)
        assert (found.state, found.complete) == ("cancelled", 1)

    async def test_a_job_that_a_stock_worker_runs_is_not_dropped(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.stock_worker_claims("a")

        assert await bench.batches.cancel(created) == 0

    async def test_the_jobs_of_a_queue_of_another_type_are_left(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.redis.rename(bench.queue, bench.queue + ":kept")
        await bench.redis.set(bench.queue, "foreign")
        assert await bench.batches.cancel(created) == 0
        assert await bench.redis.exists(keys.JOB + bench.id("a"))

        await bench.redis.rename(bench.queue + ":kept", bench.queue)
        await settle(bench)

        assert (await progress(bench)).state == "cancelled"

    async def test_a_worker_drops_what_a_caller_that_died_has_not(self, bench: ScriptBench) -> None:
        names = [str(number) for number in range(1_700)]
        created = await create(bench, *names)
        await bench.batches._close_batch(created, "cancelled")
        # Counted at once, as far as no other batch's jobs are leased.
        found = await progress(bench)
        assert found.state == "cancelling"
        assert 1_000 < found.dropped <= 1_700
        assert await bench.claimed_names() == []

        assert await self._silent(bench) == [created]
        await settle(bench)

        found = await progress(bench)
        assert (found.state, found.dropped) == ("cancelled", 1_700)
        assert await bench.claimed_names() == ["completion"]
        assert await bench.redis.zscore(keys.CANCELLED_BATCHES, created) is None

    async def test_no_waiting_job_of_a_cancelled_batch_is_claimed_and_others_are(self, bench: ScriptBench) -> None:
        created = await create(bench, *map(str, range(600)))
        running = (await bench.claim(wanted=1)).jobs[0]
        dead = (await bench.claim(wanted=1)).jobs[0]
        await bench.finish(dead, "dead", record=b"dead letter", batch=entry(bench, "dead"))
        await bench.enqueue("behind")
        await bench.batches._close_batch(created, "cancelled")
        await bench.scripts.redrive([Enqueue(dead.job_id.decode(), bench.queue, b"payload")])

        claimed = {job.job_id for job in (await bench.claim(wanted=3)).jobs}

        assert claimed == {bench.id("behind").encode(), dead.job_id}
        assert await bench.finish(running, batch=entry(bench))
        found = await progress(bench)
        assert (found.state, found.complete) == ("cancelling", 1)
        assert await bench.batches.cancel(created) == 598
        found = await progress(bench)
        assert (found.state, found.dropped, found.complete, found.dead) == ("cancelled", 598, 1, 1)

    async def test_a_worker_is_woken_for_what_is_behind_the_dropped_jobs(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.enqueue("behind")
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)

        await bench.batches.cancel(created)

        assert await bench.wakeups() == 1

    async def test_a_cancellation_ends_in_time_and_workers_go_on(
        self, bench: ScriptBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = await create(bench, *map(str, range(1_700)))
        monkeypatch.setattr("worker.queue.batches._LONGEST_CANCEL_S", 0)

        assert await bench.batches.cancel(created) == 1_000
        assert await bench.claimed_names() == []

        await settle(bench)
        found = await progress(bench)
        assert (found.state, found.dropped) == ("cancelled", 1_700)

    async def test_jobs_that_were_running_are_delivered_again_once_the_others_are_dropped(
        self, bench: ScriptBench
    ) -> None:
        created = await create(bench, "a", "b")
        await bench.claim("dead owner", wanted=1)
        await bench.let_lease_end("a")
        await bench.batches._close_batch(created, "cancelled")
        assert await bench.claimed_names() == []

        await settle(bench)

        assert await bench.claimed_names() == ["a"]
        assert await bench.redis.zscore(keys.CANCELLED_BATCHES, created) is None

    async def test_a_cancelled_batch_that_has_left_the_index_is_found(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.batches._close_batch(created, "cancelled")
        await bench.redis.zrem(keys.BATCHES, created)
        assert await self._silent(bench) == []

        await bench.redis.zadd(keys.CANCELLED_BATCHES, {created: 1})
        assert await self._silent(bench) == [created]
        assert await self._silent(bench) == []

        await settle(bench)
        assert (await progress(bench)).state == "cancelled"

    async def test_the_mark_of_a_batch_that_was_overwritten_is_removed(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.batches._close_batch(created, "cancelled")
        await bench.redis.delete(keys.BATCH + created)

        with pytest.raises(BatchNotFound):
            await settle(bench)

        assert await bench.claimed_names() == ["a"]

    async def test_a_key_of_another_type_in_place_of_the_cancelled_batches_stops_nothing(
        self, bench: ScriptBench
    ) -> None:
        created = await create(bench, "a")
        await bench.enqueue("other")
        await bench.redis.set(keys.CANCELLED_BATCHES, "foreign")
        try:
            assert await bench.batches.cancel(created) == 1
            assert sorted(await bench.claimed_names()) == ["completion", "other"]
        finally:
            await bench.redis.delete(keys.CANCELLED_BATCHES)

    async def test_only_a_silent_batch_is_looked_at_and_by_one_worker(self, bench: ScriptBench) -> None:
        created = await create(bench, "a", "b")
        assert await self._silent(bench) == []

        await bench.redis.zadd(keys.BATCHES, {created: 1})
        assert await self._silent(bench) == [created]
        assert await self._silent(bench) == []

        await bench.redis.zadd(keys.BATCHES, {created: 1})
        await bench.finish((await bench.claim()).jobs[0], batch=entry(bench))
        assert await self._silent(bench) == []

    @staticmethod
    async def _silent(bench: ScriptBench) -> list[str]:
        """Return the test's batch if it is due to be looked at; other tests' batches may be due too."""
        found = []
        while silent := await bench.batches.next_silent():
            found.append(silent)
        return [silent for silent in found if silent == batch_id(bench)]


class BatchSettleContract:
    async def test_a_job_that_waits_or_runs_is_left_alone(self, bench: ScriptBench) -> None:
        await create(bench, "a", "b", sealed=True)
        await bench.claim(wanted=1)

        await settle(bench)

        assert (await progress(bench)).ended == 0
        assert await bench.claimed_names() == ["b"]

    async def test_a_job_without_a_trace_counts_as_lost(self, bench: ScriptBench) -> None:
        await create(bench, "a", sealed=True)
        await bench.stock_worker_claims("a")
        await bench.stock_worker_completes("a")

        await settle(bench)

        found = await progress(bench)
        assert (found.lost, found.state, await completions(bench)) == (1, "finished", 1)

    async def test_a_job_without_a_payload_waits_for_a_worker_that_dead_letters_it(
        self, bench: ScriptBench
    ) -> None:
        await create(bench, "a", sealed=True)
        await bench.redis.delete(keys.JOB + bench.id("a"))
        await settle(bench)
        job = await bench.claim_one()
        assert job.problem == "missing"
        # Its envelope cannot be read, so the completion names no batch.
        await bench.finish(job, "dead", record=b"dead letter")
        assert (await progress(bench)).ended == 0

        await settle(bench)

        found = await progress(bench)
        assert (found.dead, found.state, await completions(bench)) == (1, "finished", 1)

    @pytest.mark.parametrize(("result", "counted"), [(b"good", "complete"), (b"bad", "dead")])
    async def test_a_job_that_a_worker_of_an_earlier_version_ended_counts_by_its_result(
        self, bench: ScriptBench, result: bytes, counted: str
    ) -> None:
        created = await create(bench, "a", sealed=True)
        await bench.finish(await bench.claim_one(), result=result, result_life_ms=-1)
        assert await bench.batches.settle_page(created, 0) == (1, 1, 0, [bench.id("a").encode()], 0)

        await settle(bench)

        found = await progress(bench)
        assert (getattr(found, counted), found.ended, found.state) == (1, 1, "finished")

    async def test_a_job_that_vanished_from_its_queue_is_put_back(self, bench: ScriptBench) -> None:
        await create(bench, "a", sealed=True)
        await bench.redis.zrem(bench.queue, bench.id("a"))
        await bench.redis.delete(bench.queue + keys.WAKEUP_SUFFIX)

        await settle(bench)

        assert await bench.wakeups() == 1
        assert await bench.finish(await bench.claim_one(), batch=entry(bench))
        assert (await progress(bench)).complete == 1

    async def test_a_lost_job_that_turns_up_moves_in_the_counters(self, bench: ScriptBench) -> None:
        created = await create(bench, "a", sealed=True)
        await bench.stock_worker_completes("a")
        await settle(bench)
        assert (await progress(bench)).lost == 1

        assert await bench.enqueue("a", batch=created) == ["done"]
        await bench.enqueue("a")
        await bench.finish(await self._claim_a(bench), batch=entry(bench))

        found = await progress(bench)
        assert (found.lost, found.complete) == (0, 1)

    async def test_settling_a_dead_letter_that_was_discarded_leaves_it_counted(self, bench: ScriptBench) -> None:
        await create(bench, "a", sealed=True)
        await bench.finish(await bench.claim_one(), "dead", record=b"dead letter", batch=entry(bench, "dead"))
        assert await bench.scripts.discard([(bench.id("a").encode(), b"dead letter")]) == 1

        await settle(bench)

        assert (await progress(bench)).dead == 1
        assert await completions(bench) == 1

    async def test_a_dead_letter_retried_in_a_cancelled_batch_runs(self, bench: ScriptBench) -> None:
        created = await create(bench, "a", "b")
        job = (await bench.claim(wanted=1)).jobs[0]
        await bench.finish(job, "dead", record=b"dead letter", batch=entry(bench, "dead"))
        await bench.scripts.redrive([Enqueue(job.job_id.decode(), bench.queue, b"payload")])

        assert await bench.batches.cancel(created) == 1

        found = await progress(bench)
        assert (found.dead, found.dropped, found.state) == (1, 1, "cancelled")
        await bench.finish(await self._claim_a(bench), batch=entry(bench))
        assert (await progress(bench)).complete == 1

    @staticmethod
    async def _claim_a(bench: ScriptBench) -> Any:
        (job,) = [job for job in (await bench.claim()).jobs if job.job_id.decode() == bench.id("a")]
        return job
