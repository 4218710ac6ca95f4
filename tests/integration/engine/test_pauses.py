"""Pauses with real workers: what waits, what runs on, and what happens to batches and cron jobs."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from arq.cron import cron
from arq.worker import func

from tests.integration.engine.conftest import Bench, Gate
from tests.integration.engine.test_batches import Batch, complete, load
from worker.contract.actions import Action
from worker.queue import keys
from worker.queue.heartbeats import read_heartbeats
from worker.queue.pauses import Pause, field_of, pause, resume

ACTION = Action(actor="ops@vm", act="pause", target="queue")


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


async def pausing(bench: Bench, *named: Pause) -> None:
    await pause(bench.redis, named, ACTION)


async def resuming(bench: Bench, *named: Pause) -> None:
    await resume(bench.redis, named, ACTION)


async def heeds(bench: Bench, named: Iterable[Pause]) -> bool:
    """Whether every worker has claimed since the pause."""
    wanted = {it.field for it in named}
    return all(wanted <= set(worker.paused or ()) for worker in await read_heartbeats(bench.redis))


async def test_running_jobs_finish_and_waiting_ones_wait_until_the_queue_is_resumed(own_bench: Bench) -> None:
    bench, gate = own_bench, Gate()
    queue = Pause("queue", bench.queue)
    async with bench.serving(gate.function()):
        running = await bench.put("gated")
        await bench.until(lambda: gate.running)
        await pausing(bench, queue)
        waiting = await bench.put("gated")
        await bench.until(lambda: heeds(bench, [queue]))
        gate.open.set()
        assert await bench.outcome(running) == "through"
        assert gate.running == [running]
        await resuming(bench, queue)
        assert await bench.outcome(waiting, 2) == "through"


async def test_a_pause_holds_in_a_worker_that_starts_later_and_other_queues_are_served(own_bench: Bench) -> None:
    bench = own_bench
    queue = Pause("queue", bench.queue)
    await pausing(bench, queue)
    waiting = await bench.put("fine")
    async with bench.serving(func(fine, name="fine"), queues={bench.queue: 20, bench.bulk: 20}):
        assert await bench.outcome(await bench.put("fine", queue=bench.bulk)) == "fine"
    assert await bench.redis.exists(keys.JOB + waiting)
    assert not await bench.redis.exists(keys.RESULT + waiting)


async def test_jobs_of_a_paused_function_wait_without_a_try_and_hold_up_no_others(own_bench: Bench) -> None:
    bench, gate = own_bench, Gate()
    function = Pause("function", "gated")
    gate.open.set()
    await pausing(bench, function)
    paused = [await bench.put("gated") for _ in range(500)]
    behind = await bench.put("fine")
    async with bench.serving(gate.function(), func(fine, name="fine"), max_jobs=10):
        assert await bench.outcome(behind) == "fine"
        assert gate.running == []
        assert not await bench.redis.exists(*(keys.TRIES + job_id for job_id in paused))
        assert not await bench.redis.exists(*(keys.HISTORY + job_id for job_id in paused))
        # They wait in the future, and are not taken again and again.
        await bench.until(lambda: bench.redis.zcount(bench.queue, time.time() * 1000 + 200, "+inf"))
        await resuming(bench, function)
        assert await bench.outcome(paused[0]) == "through"
        await bench.until(lambda: len(gate.running) == len(paused), 15)
    assert set(gate.tries) == {1}


async def test_an_abort_reaches_a_job_of_a_paused_function(own_bench: Bench) -> None:
    bench, gate = own_bench, Gate()
    await pausing(bench, Pause("function", "gated"))
    job_id = await bench.put("gated")
    async with bench.serving(gate.function()):
        assert await bench.job(job_id).abort(timeout=5, poll_delay=0.05)
    assert gate.running == []


async def test_the_completion_job_of_a_batch_waits_while_its_function_is_paused(own_bench: Bench) -> None:
    bench, function = own_bench, Pause("function", "complete")
    batch = Batch(bench)
    await batch.create()
    await batch.add("load", 10)
    await batch.store.seal(batch.id)
    await pausing(bench, function)
    async with bench.serving(load, complete):
        # Put aside: it is on the queue, due later, and nobody runs it.
        await bench.until(lambda: deferred(bench, batch.completion))
        assert not await bench.redis.exists(keys.RESULT + batch.completion)
        await resuming(bench, function)
        assert (await batch.completed())["state"] == "finished"


async def test_the_jobs_of_a_batch_that_is_cancelled_on_a_paused_queue_are_dropped(own_bench: Bench) -> None:
    bench = own_bench
    batch = Batch(bench)
    await batch.create()
    job_id = await batch.add("load", 10)
    await batch.store.seal(batch.id)
    await pausing(bench, Pause("queue", bench.queue))
    await batch.store.cancel(batch.id)
    async with bench.serving(load, complete):
        await bench.until(lambda: ended(batch), 20)
        assert await bench.is_settled(job_id)
        # The batch has ended, and its completion job waits as others do.
        assert await bench.redis.zrange(bench.queue, 0, -1) == [batch.completion.encode()]
        assert not await bench.redis.exists(keys.RESULT + batch.completion)


async def deferred(bench: Bench, job_id: str) -> bool:
    score = await bench.redis.zscore(bench.queue, job_id)
    return score is not None and score > time.time() * 1000 and not await bench.redis.hexists(keys.LEASES, job_id)


async def ended(batch: Batch) -> bool:
    return (await batch.store.progress(batch.id)).state == "cancelled"


async def test_cron_runs_pile_up_on_a_paused_queue_and_run_when_it_is_resumed(own_bench: Bench) -> None:
    bench = own_bench
    ran: list[str] = []

    async def tick(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    queue = Pause("queue", bench.queue)
    await pausing(bench, queue)
    every_second = cron(tick, name="tick", second=set(range(60)))
    async with bench.serving(cron_jobs=[every_second]):
        await bench.until(lambda: enough(bench), 10)
        assert ran == []
        await resuming(bench, queue)
        await bench.until(lambda: len(ran) >= 3)
    assert len(set(ran)) == len(ran)
    assert field_of("queue", bench.queue) not in await bench.redis.hkeys(keys.PAUSES)


async def enough(bench: Bench) -> bool:
    now_ms = datetime.now(UTC).timestamp() * 1000
    return int(await bench.redis.zcount(bench.queue, "-inf", now_ms)) >= 3


async def test_a_burst_ends_although_a_paused_queue_is_not_empty(own_bench: Bench) -> None:
    bench = own_bench
    await pausing(bench, Pause("queue", bench.bulk))
    await bench.put("fine", queue=bench.bulk)
    job_id = await bench.put("fine")
    await bench.burst(func(fine, name="fine"), queues={bench.queue: 20, bench.bulk: 20})
    assert await bench.outcome(job_id) == "fine"
    assert await bench.redis.zcard(bench.bulk) == 1
