"""Which jobs a worker claims, when, and how many."""

import asyncio
import time
from collections import Counter
from typing import Any

from arq.cron import cron
from arq.worker import func

from tests.integration.engine.conftest import Bench
from worker.queue import keys

# The medians. A worker that is not woken looks every 0.5 s, and finds a job after 0.25 s.
STARTED_WITHIN = 0.1
DUE_WITHIN_MS = 150


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


async def test_an_idle_worker_is_woken(bench: Bench) -> None:
    started: dict[str, float] = {}

    async def note(ctx: dict[str, Any]) -> None:
        started[ctx["job_id"]] = time.monotonic()

    delays = []
    async with bench.serving(func(note, name="note"), poll_delay=0.5):
        for _ in range(50):
            before = time.monotonic()
            job_id = await bench.put("note")
            await bench.until(lambda: job_id in started)  # noqa: B023 (awaited within the round)
            delays.append(started[job_id] - before)
    assert _median(delays) < STARTED_WITHIN


async def test_deferred_jobs_start_when_they_are_due_by_the_clock_of_redis(bench: Bench) -> None:
    late: list[float] = []

    async def note(ctx: dict[str, Any]) -> None:
        seconds, micros = await ctx["redis"].time()
        late.append(seconds * 1000 + micros / 1000 - ctx["score"])

    async with bench.serving(func(note, name="note"), poll_delay=0.5):
        for number in range(20):
            await bench.put("note", delay_ms=600 + 50 * number)
        await bench.until(lambda: len(late) == 20)
    assert min(late) >= 0
    assert _median(late) < DUE_WITHIN_MS


async def test_a_worker_never_runs_more_than_its_slots(bench: Bench) -> None:
    at_once, most = 0, 0

    async def busy(ctx: dict[str, Any]) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.005)
        at_once -= 1

    for _ in range(200):
        await bench.put("busy")
    worker = await bench.burst(func(busy, name="busy"), max_jobs=7)
    assert most == 7
    assert worker.jobs_complete == 200


async def test_bulk_work_cannot_fill_the_slots(bench: Bench) -> None:
    gate, bulk_running = asyncio.Event(), []

    async def chunk(ctx: dict[str, Any]) -> None:
        bulk_running.append(ctx["job_id"])
        await gate.wait()

    async def single(ctx: dict[str, Any]) -> str:
        return "single"

    chunks = [await bench.put("chunk", queue=bench.bulk) for _ in range(50)]
    functions = func(chunk, name="chunk"), func(single, name="single")
    async with bench.serving(*functions, queues={bench.queue: 10, bench.bulk: 4}, max_jobs=10):
        await bench.until(lambda: len(bulk_running) == 4)
        singles = [await bench.put("single") for _ in range(20)]
        assert [await bench.outcome(job_id) for job_id in singles] == ["single"] * 20
        assert len(bulk_running) == 4
        gate.set()
        for job_id in chunks:
            await bench.result(job_id)


async def test_a_queue_that_is_always_full_does_not_starve_the_other(bench: Bench) -> None:
    order: list[str] = []

    async def step(ctx: dict[str, Any]) -> None:
        order.append(ctx["job_id"])
        await asyncio.sleep(0.005)

    singles = [await bench.put("step") for _ in range(300)]
    chunk = await bench.put("step", queue=bench.bulk)
    await bench.burst(func(step, name="step"), queues={bench.queue: 4, bench.bulk: 4}, max_jobs=4)
    assert set(order) == {*singles, chunk}
    assert order.index(chunk) < 150


async def test_a_burst_runs_all_queued_jobs_and_ends(bench: Bench) -> None:
    async def slow(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.05)

    for _ in range(5):
        await bench.put("slow")
    await bench.put("slow", delay_ms=300)
    worker = await bench.burst(func(slow, name="slow"))
    assert worker.jobs_complete == 6
    assert await bench.redis.zcard(bench.queue) == 0


async def test_a_limited_burst_completes_exactly_that_many_jobs(bench: Bench) -> None:
    async def slow(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.05)

    for _ in range(5):
        await bench.put("slow")
    for limit, left in ((0, 5), (2, 3), (1, 2)):
        worker = await bench.burst(func(slow, name="slow"), max_burst_jobs=limit)
        assert worker.jobs_complete == limit
        assert await bench.redis.zcard(bench.queue) == left
    worker = bench.worker(func(slow, name="slow"), burst=True)
    assert await worker.run_check() == 2
    await worker.close()


async def test_cron_jobs_run_once_across_all_workers(bench: Bench) -> None:
    runs: Counter[str] = Counter()

    async def tick(ctx: dict[str, Any]) -> None:
        runs[ctx["job_id"]] += 1

    name = f"tick-{bench.queue}"
    every_second: dict[str, Any] = {"second": set(range(60)), "unique": True}
    async with (
        bench.serving(cron_jobs=[cron(tick, name=name, **every_second)]),
        bench.serving(cron_jobs=[cron(tick, name=name, **every_second)]),
    ):
        await bench.until(lambda: len(runs) >= 3)
    assert set(runs.values()) == {1}


async def test_cron_runs_missed_while_no_worker_was_up_are_caught_up_once(bench: Bench) -> None:
    ran = []

    async def yearly(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    name = f"yearly-{bench.queue}"
    await bench.redis.hset(bench.queue + keys.CRON_SUFFIX, name, 1_600_000_000_000)

    started_ms = time.time() * 1000

    async def remembered() -> bool:
        # The present time is stored. With that of the first missed run, the others would be caught up one by one.
        return float(await bench.redis.hget(bench.queue + keys.CRON_SUFFIX, name)) >= started_ms - 1

    for _ in range(2):
        async with bench.serving(cron_jobs=[cron(yearly, name=name, month=1, day=1, hour=0, minute=0)]):
            assert await bench.until(lambda: len(ran) == 1, 5)
            assert await bench.until(remembered, 5)
    assert len(ran) == 1


async def test_a_cron_job_may_run_at_startup(bench: Bench) -> None:
    ran = []

    async def tick(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    async with bench.serving(cron_jobs=[cron(tick, month=1, day=1, run_at_startup=True)]):
        assert await bench.until(lambda: len(ran) == 1, 5)


async def test_jobs_that_run_elsewhere_do_not_hide_waiting_jobs(bench: Bench) -> None:
    """While another worker runs 150 jobs, the next job is claimed immediately."""
    gate, running = asyncio.Event(), []

    async def gated(ctx: dict[str, Any]) -> None:
        running.append(ctx["job_id"])
        await gate.wait()

    async def fine(ctx: dict[str, Any]) -> str:
        return "fine"

    for _ in range(150):
        await bench.put("gated")
    async with bench.serving(func(gated, name="gated"), max_jobs=150):
        await bench.until(lambda: len(running) == 150)
        async with bench.serving(func(fine, name="fine"), max_jobs=5):
            assert await bench.outcome(await bench.put("fine"), 2) == "fine"
        gate.set()
        await bench.until(lambda: _is_empty(bench))
    assert set(Counter(running).values()) == {1}


async def _is_empty(bench: Bench) -> bool:
    return not await bench.redis.zcard(bench.queue) and not await bench.redis.zcard(
        bench.queue + keys.LEASED_SUFFIX
    )
