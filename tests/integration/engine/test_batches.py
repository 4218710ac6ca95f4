"""Batches with real workers: what jobs count, and the completion job."""

import asyncio
from typing import Any

from arq.worker import func

from tests.integration.engine.conftest import Bench, Gate
from worker.errors import PermanentError
from worker.queue import keys
from worker.queue.batches import BatchProgress, BatchStore
from worker.queue.scripts import Enqueue


async def load(ctx: dict[str, Any], rows: int) -> int:
    ctx["batch"].count("rows", rows)
    if rows == 13:
        raise PermanentError("thirteen")
    return rows


async def complete(ctx: dict[str, Any]) -> dict[str, Any]:
    found: BatchProgress = await ctx["batch"].progress()
    ended = {"complete": found.complete, "dead": found.dead, "dropped": found.dropped, "lost": found.lost}
    return {"state": found.state, "rows": found.counts.get("rows", 0), **ended}


class Batch:
    """A batch of one test."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.id = f"batch-{bench.queue}"
        self.completion = f"completion-{bench.queue}"
        self.store = BatchStore(bench.redis)

    async def create(self) -> None:
        envelope = self._bench.envelope("complete", b=self.id)
        await self.store.create(self.id, Enqueue(self.completion, self._bench.queue, envelope))

    async def add(self, function: str, *args: Any, named: bool = True) -> str:
        job_id = f"{self.id}-{function}-{'-'.join(map(str, args))}"
        fields = {"b": self.id} if named else {}
        job = Enqueue(job_id, self._bench.queue, self._bench.envelope(function, *args, **fields))
        await self._bench.scripts.enqueue([job], self.id)
        return job_id

    async def completed(self) -> Any:
        return await self._bench.outcome(self.completion)


async def test_the_completion_job_runs_after_the_last_job_and_knows_all_counts(bench: Bench) -> None:
    batch = Batch(bench)
    await batch.create()
    jobs = [await batch.add("load", rows) for rows in (10, 20, 13)]
    await batch.store.seal(batch.id)

    async with bench.serving(load, complete):
        assert await batch.completed() == {
            "state": "finished",
            "rows": 30,
            "complete": 2,
            "dead": 1,
            "dropped": 0,
            "lost": 0,
        }
        # Retried, the dead letter dies again, and nothing completes a second time.
        await bench.redis.delete(keys.RESULT + batch.completion)
        assert await bench.dead_letters.retry([await bench.dead_letter(jobs[2])]) == 1
        await bench.until(lambda: bench.is_settled(jobs[2]))

    assert (await batch.store.progress(batch.id)).dead == 1
    assert not await bench.redis.exists(keys.RESULT + batch.completion, keys.JOB + batch.completion)


async def test_a_retried_dead_letter_that_completes_moves_in_the_counters(bench: Bench) -> None:
    batch, fixed = Batch(bench), asyncio.Event()
    await batch.create()

    async def fragile(ctx: dict[str, Any]) -> None:
        ctx["batch"].count("rows", 5)
        if not fixed.is_set():
            raise PermanentError("not fixed yet")

    job_id = await batch.add("fragile")
    await batch.store.seal(batch.id)
    async with bench.serving(func(fragile, name="fragile"), complete):
        assert (await batch.completed())["dead"] == 1
        fixed.set()
        await bench.dead_letters.retry([await bench.dead_letter(job_id)])
        await bench.result(job_id)
        await bench.until(lambda: _is_complete(batch, 1))

    found = await batch.store.progress(batch.id)
    assert (found.complete, found.dead, found.counts) == (1, 0, {"rows": 5})


async def test_cancelling_lets_running_jobs_end_and_drops_the_others(bench: Bench) -> None:
    batch, gate = Batch(bench), Gate()
    await batch.create()
    async with bench.serving(gate.function(), load, complete, max_jobs=1):
        running = await batch.add("gated")
        await bench.until(lambda: gate.running == [running])
        for rows in range(3):
            await batch.add("load", rows)

        assert await batch.store.cancel(batch.id) == 3
        assert (await batch.store.progress(batch.id)).state == "cancelling"
        gate.open.set()

        completed = await batch.completed()
    assert (completed["state"], completed["complete"], completed["dropped"]) == ("cancelled", 1, 3)


async def test_a_job_that_is_handed_back_after_its_batch_was_cancelled_is_dropped(bench: Bench) -> None:
    batch, gate = Batch(bench), Gate()
    await batch.create()
    async with bench.serving(gate.function(), job_completion_wait=0):
        running = await batch.add("gated")
        await bench.until(lambda: gate.running == [running])
        assert await batch.store.cancel(batch.id) == 0

    found = await batch.store.progress(batch.id)
    assert (found.state, found.dropped) == ("cancelled", 1)
    assert await bench.is_settled(running)


async def test_an_aborted_job_is_counted_whether_it_has_started_or_not(bench: Bench) -> None:
    batch, gate = Batch(bench), Gate()
    await batch.create()
    async with bench.serving(gate.function(), load, complete, max_jobs=1):
        running = await batch.add("gated")
        await bench.until(lambda: gate.running == [running])
        waiting = await batch.add("load", 1)
        await batch.store.seal(batch.id)
        await bench.redis.zadd(keys.ABORT, {waiting: 10**13})

        assert await bench.job(running).abort(timeout=10, poll_delay=0.05)

        await batch.completed()
    assert (await batch.store.progress(batch.id)).aborted == 2


async def test_jobs_that_end_without_naming_their_batch_are_found(bench: Bench) -> None:
    """As if a worker of an earlier version had run one, and somebody had deleted the key of another."""
    batch = Batch(bench)
    await batch.create()

    async def plain(ctx: dict[str, Any]) -> str:
        return "done"

    old = await batch.add("plain", named=False)
    vanished = await batch.add("load", 1)
    await bench.redis.delete(keys.JOB + vanished)
    await batch.store.seal(batch.id)
    async with bench.serving(func(plain, name="plain"), load, complete):
        await bench.result(old)
        await bench.dead_letter(vanished)
        # As if no job had ended for a while.
        await bench.redis.zadd(keys.BATCHES, {batch.id: 1})

        completed = await batch.completed()
    assert (completed["complete"], completed["dead"], completed["lost"]) == (1, 1, 0)


async def _is_complete(batch: Batch, count: int) -> bool:
    return (await batch.store.progress(batch.id)).complete == count
