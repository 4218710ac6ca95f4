"""The contract of batches in the Lua scripts, for a simulated and for a real Redis."""

from typing import Any

import pytest

from tests.redis_scripts.script_bench import OWNER, ScriptBench
from worker.errors import BatchClosed, BatchNotFound
from worker.queue import keys
from worker.queue.batches import BatchOutcome, BatchProgress, completion_entry
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.scripts import Enqueue


def entry(bench: ScriptBench, outcome: BatchOutcome | None = "complete", **counts: int) -> str:
    return completion_entry(batch_id(bench), outcome, counts)


def batch_id(bench: ScriptBench) -> str:
    return bench.queue.removeprefix("queue:")


async def progress(bench: ScriptBench) -> BatchProgress:
    return await bench.batches.progress(batch_id(bench))


async def create(bench: ScriptBench, *names: str, sealed: bool = False) -> str:
    """Create the test's batch, whose completion job waits on the bulk queue, and add jobs to it."""
    created = batch_id(bench)
    completion = Enqueue(bench.id("completion"), bench.bulk, b"completion payload")
    assert await bench.batches.create(created, completion)
    if names:
        await bench.enqueue(*names, batch=created)
    if sealed:
        await bench.batches.seal(created)
    return created


async def completions(bench: ScriptBench) -> int:
    """Return how often the completion job is on its queue with its payload: 0 or 1."""
    waiting = await bench.redis.zscore(bench.bulk, bench.id("completion")) is not None
    stored = await bench.redis.get(keys.JOB + bench.id("completion"))
    assert stored == (b"completion payload" if waiting else None)
    return int(waiting)


class BatchContract:
    async def test_a_batch_is_created_once(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")

        assert not await bench.batches.create(created, None)

        found = await progress(bench)
        assert (found.state, found.total, found.completion) == ("open", 1, bench.id("completion"))
        assert created in await bench.batches.unfinished()

    async def test_jobs_are_counted_once_when_they_are_added(self, bench: ScriptBench) -> None:
        created = await create(bench)

        assert await bench.enqueue("a", "b", "a", batch=created) == ["new", "new", "new"]
        assert await bench.enqueue("b", "c", batch=created, payload=b"other") == ["queued", "new"]

        assert (await progress(bench)).total == 3
        assert await bench.batches.jobs(created) == [(bench.id(name), None) for name in "abc"]

    async def test_an_unknown_batch_takes_no_job(self, bench: ScriptBench) -> None:
        with pytest.raises(BatchNotFound):
            await bench.enqueue("a", batch=batch_id(bench))
        with pytest.raises(BatchNotFound):
            await bench.batches.seal(batch_id(bench))
        with pytest.raises(BatchNotFound):
            await bench.batches.cancel(batch_id(bench))
        with pytest.raises(BatchNotFound):
            await progress(bench)

        assert await bench.places_of("a") == set()

    async def test_a_sealed_batch_takes_only_the_jobs_that_it_has(self, bench: ScriptBench) -> None:
        created = await create(bench, "a", "b", sealed=True)
        await bench.finish(await self._claim(bench, "a"), batch=entry(bench))

        assert await bench.enqueue("a", "b", batch=created) == ["done", "new"]
        with pytest.raises(BatchClosed, match="sealed"):
            await bench.enqueue("b", "c", batch=created)

        assert await bench.places_of("c") == set()
        assert (await progress(bench)).total == 2

    async def test_a_job_of_a_sealed_batch_that_vanished_can_be_added_again(self, bench: ScriptBench) -> None:
        created = await create(bench, "a", sealed=True)
        await bench.redis.delete(keys.JOB + bench.id("a"))
        await bench.redis.zrem(bench.queue, bench.id("a"))

        assert await bench.enqueue("a", batch=created) == ["new"]

        assert await bench.claimed_names() == ["a"]
        assert (await progress(bench)).total == 1

    async def test_a_batch_without_jobs_ends_when_it_is_sealed(self, bench: ScriptBench) -> None:
        created = await create(bench)
        assert await completions(bench) == 0

        await bench.batches.seal(created)
        await bench.batches.seal(created)

        assert (await progress(bench)).state == "finished"
        assert await bench.claimed_names() == ["completion"]
        assert created not in await bench.batches.unfinished()

    async def test_a_batch_needs_no_completion_job(self, bench: ScriptBench) -> None:
        assert await bench.batches.create(batch_id(bench), None)
        await bench.batches.seal(batch_id(bench))

        found = await progress(bench)
        assert (found.state, found.completion) == ("finished", "")

    async def test_the_last_job_of_a_sealed_batch_enqueues_the_completion_job(self, bench: ScriptBench) -> None:
        await create(bench, "a", "b", "c", sealed=True)
        a, b, c = (await bench.claim()).jobs

        assert await bench.finish(a, batch=entry(bench, created=990, merged=3))
        assert await bench.finish(b, "dead", record=b"dead letter", batch=entry(bench, "dead"))
        assert (await progress(bench)).state == "sealed"
        assert await completions(bench) == 0
        assert await bench.finish(c, batch=entry(bench, created=10))

        found = await progress(bench)
        assert (found.state, found.complete, found.dead, found.ended) == ("finished", 2, 1, 3)
        assert found.counts == {"created": 1000, "merged": 3}
        assert await completions(bench) == 1
        assert await bench.redis.llen(bench.bulk + keys.WAKEUP_SUFFIX) == 1

    async def test_jobs_of_one_group_are_counted_together(self, bench: ScriptBench) -> None:
        await create(bench, "a", "b", "c", sealed=True)
        jobs = (await bench.claim()).jobs
        group = [self._completion(job, entry(bench, rows=2)) for job in jobs]

        assert await bench.scripts.finish(group) == [True] * 3

        found = await progress(bench)
        assert (found.complete, found.counts) == (3, {"rows": 6})
        assert await completions(bench) == 1

    async def test_an_open_batch_does_not_end_although_all_its_jobs_have(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        await bench.finish(await bench.claim_one(), batch=entry(bench))
        assert (await progress(bench)).state == "open"

        await bench.batches.seal(created)

        assert (await progress(bench)).state == "finished"
        assert await completions(bench) == 1

    async def test_a_retried_dead_letter_moves_in_the_counters_and_completes_no_batch_again(
        self, bench: ScriptBench
    ) -> None:
        created = await create(bench, "a", sealed=True)
        await bench.finish(await bench.claim_one(), "dead", record=b"dead letter", batch=entry(bench, "dead"))
        assert await bench.claimed_names("completer") == ["completion"]
        await self._complete_the_completion(bench)

        assert await bench.enqueue("a", batch=created) == ["dead"]
        assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"payload")]) == 1
        assert (await progress(bench)).dead == 1
        await bench.finish(await bench.claim_one(), batch=entry(bench, rows=5))

        found = await progress(bench)
        assert (found.complete, found.dead, found.counts) == (1, 0, {"rows": 5})
        assert await completions(bench) == 0

    async def test_a_dead_letter_that_dies_again_is_counted_once(self, bench: ScriptBench) -> None:
        await create(bench, "a", "b", sealed=True)
        job = await self._claim(bench, "a")
        await bench.finish(job, "dead", record=b"dead letter", batch=entry(bench, "dead"))
        await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"payload")])
        job = await self._claim(bench, "a")
        await bench.finish(job, "dead", record=b"dead letter", batch=entry(bench, "dead"))

        assert (await progress(bench)).dead == 1
        assert await completions(bench) == 0

    async def test_a_completion_that_is_refused_or_repeated_is_not_counted(self, bench: ScriptBench) -> None:
        await create(bench, "a", "b", sealed=True)
        late = await self._claim(bench, "a", "late")
        await bench.let_lease_end("a")
        job = await self._claim(bench, "a")

        assert not await bench.finish(late, "done", "late", batch=entry(bench, rows=1))
        assert await bench.finish(job, batch=entry(bench, rows=1))
        assert not await bench.finish(job, batch=entry(bench, rows=1))

        found = await progress(bench)
        assert (found.complete, found.counts) == (1, {"rows": 1})
        assert await completions(bench) == 0

    async def test_a_dead_letter_whose_lost_owner_has_done_the_job_counts_as_complete(
        self, bench: ScriptBench
    ) -> None:
        await create(bench, "a", sealed=True)
        frozen = await bench.claim_one("frozen:1")
        await bench.let_lease_end("a")
        job = await bench.claim_one("other:1")
        record = b'{"lost_by":["frozen:1"]}'
        await bench.finish(job, "dead", "other:1", record=record, batch=entry(bench, "dead"))
        assert await completions(bench) == 1

        assert await bench.finish(frozen, token="frozen:1", batch=entry(bench))

        found = await progress(bench)
        assert (found.complete, found.dead, await completions(bench)) == (1, 0, 1)

    async def test_a_job_that_runs_again_is_not_counted(self, bench: ScriptBench) -> None:
        await create(bench, "a", sealed=True)

        assert await bench.finish(await bench.claim_one(), "retry", batch=entry(bench, None))
        assert await bench.finish(await bench.claim_one(), "return", due=1, batch=entry(bench, None))

        assert (await progress(bench)).ended == 0
        assert await bench.claimed_names() == ["a"]

    async def test_a_job_that_names_a_batch_without_being_in_it_is_not_counted(self, bench: ScriptBench) -> None:
        await create(bench, "a", sealed=True)
        await bench.enqueue("b", "c")

        assert await bench.finish(await self._claim(bench, "b"), batch=entry(bench, rows=1))
        assert await bench.finish(await self._claim(bench, "c"), batch="unknown complete rows=1")

        assert (await progress(bench)).ended == 0
        assert await bench.redis.exists(f"{keys.BATCH}unknown") == 0

    @pytest.mark.parametrize(("ending", "counted"), [("done", "complete"), ("dead", "dead")])
    async def test_a_job_that_ended_before_it_was_added_is_counted_at_once(
        self, bench: ScriptBench, ending: Any, counted: str
    ) -> None:
        await bench.enqueue("a")
        await bench.finish(await bench.claim_one(), ending, result=b"result", result_life_ms=-1, record=b"letter")

        created = await create(bench, "a", sealed=True)

        found = await progress(bench)
        assert (getattr(found, counted), found.total, found.state) == (1, 1, "finished")
        assert await bench.enqueue("a", batch=created) == [ending]

    async def test_an_ended_batch_expires_and_an_open_one_does_not(self, bench: ScriptBench) -> None:
        created = await create(bench, "a")
        names = [prefix + created for prefix in (keys.BATCH, keys.BATCH_JOBS, keys.BATCH_ORDER)]
        assert [await bench.redis.ttl(name) for name in names] == [-1] * 3

        await bench.finish(await bench.claim_one(), batch=entry(bench))
        await bench.batches.seal(created)

        lives = [await bench.redis.ttl(name) for name in names]
        assert all(29 * 86_400 < life <= 30 * 86_400 for life in lives)
        assert await bench.redis.exists(keys.BATCH_COMPLETION + created) == 0

    @pytest.mark.parametrize("prefix", [keys.BATCH, keys.BATCH_JOBS, keys.BATCH_ORDER])
    async def test_a_key_of_another_type_does_not_block_a_completion(self, bench: ScriptBench, prefix: str) -> None:
        created = await create(bench, "a", "b", sealed=True)
        await bench.redis.delete(prefix + created)
        await bench.redis.set(prefix + created, "foreign")

        assert await bench.finish(await self._claim(bench, "a"), batch=entry(bench))
        assert await bench.places_of("a") == set()
        with pytest.raises(BatchNotFound):
            await bench.enqueue("c", batch=created)

    async def test_an_index_of_another_type_does_not_block_a_completion(self, bench: ScriptBench) -> None:
        await create(bench, "a", "b", sealed=True)
        jobs = (await bench.claim()).jobs
        await bench.redis.rename(keys.BATCHES, keys.BATCHES + batch_id(bench))
        await bench.redis.set(keys.BATCHES, "foreign")

        applied = [await bench.finish(job, batch=entry(bench)) for job in jobs]

        await bench.redis.rename(keys.BATCHES + batch_id(bench), keys.BATCHES)
        assert applied == [True, True]
        assert (await progress(bench)).state == "finished"
        assert await completions(bench) == 1

    async def test_a_queue_of_another_type_delays_the_completion_job(self, bench: ScriptBench) -> None:
        created = await create(bench, "a", sealed=True)
        job = await bench.claim_one()
        await bench.redis.set(bench.bulk, "foreign")
        assert await bench.finish(job, batch=entry(bench))
        assert (await progress(bench)).state == "sealed"

        await bench.redis.delete(bench.bulk)
        await self.settle(bench, created)

        assert (await progress(bench)).state == "finished"
        assert await completions(bench) == 1

    @staticmethod
    def _completion(job: ClaimedJob, batch: str) -> Any:
        return Completion.done(job, OWNER)._replace(batch=batch)

    @staticmethod
    async def settle(bench: ScriptBench, created: str) -> None:
        await bench.batches.settle(created, lambda _: "lost")

    @staticmethod
    async def _claim(bench: ScriptBench, name: str, token: str = OWNER) -> ClaimedJob:
        """Claim one job of several by making it the first."""
        await bench.redis.zadd(bench.queue, {bench.id(name): 1}, xx=True)
        (job,) = (await bench.claim(token, 1)).jobs
        assert job.job_id.decode() == bench.id(name)
        return job

    @staticmethod
    async def _complete_the_completion(bench: ScriptBench) -> None:
        await bench.redis.delete(keys.JOB + bench.id("completion"), keys.IN_PROGRESS + bench.id("completion"))
        await bench.redis.zrem(bench.bulk, bench.id("completion"))
