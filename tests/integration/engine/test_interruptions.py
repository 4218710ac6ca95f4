"""Jobs that are handed back, suspected of killing their worker, or owned by another worker by now."""

import asyncio
from signal import Signals
from typing import Any

import pytest
from arq.jobs import JobStatus
from arq.worker import Retry, func

from tests.integration.engine.conftest import Bench, Gate
from worker.queue import keys


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


async def test_jobs_may_finish_within_the_grace_period(bench: Bench) -> None:
    gate = Gate()
    jobs = [await bench.put("gated") for _ in range(20)]
    worker = bench.worker(gate.function(), job_completion_wait=20)
    main = asyncio.create_task(worker.async_run())
    await bench.until(lambda: len(gate.running) == 20)
    worker.handle_sig(Signals.SIGTERM)
    late = await bench.put("gated")
    gate.open.set()
    await asyncio.wait_for(main, 5)
    await worker.close()
    for job_id in jobs:
        assert await bench.outcome(job_id, 0.5) == "through"
    assert await bench.job(late).status() is JobStatus.queued


@pytest.mark.parametrize("wait_s", [0.1, 60], ids=["grace period over", "second signal"])
async def test_unfinished_jobs_are_handed_back_unchanged(bench: Bench, wait_s: float) -> None:
    gate = Gate()
    jobs = [await bench.put("gated", delay_ms=-number) for number in range(20)]
    scores = await bench.redis.zrange(bench.queue, 0, -1, withscores=True)
    worker = bench.worker(gate.function(max_tries=1), job_completion_wait=wait_s)
    main = asyncio.create_task(worker.async_run())
    await bench.until(lambda: len(gate.running) == 20)
    worker.handle_sig(Signals.SIGTERM)
    if wait_s > 1:
        worker.handle_sig(Signals.SIGTERM)
    await asyncio.wait_for(main, 5)
    await worker.close()
    assert await bench.redis.zrange(bench.queue, 0, -1, withscores=True) == scores
    assert await bench.redis.zcard(bench.queue + keys.LEASED_SUFFIX) == 0
    for job_id in jobs:
        assert not await bench.redis.exists(keys.IN_PROGRESS + job_id, keys.TRIES + job_id)
        assert not await bench.redis.hexists(keys.LEASES, job_id)
    gate.open.set()
    await bench.burst(gate.function(max_tries=1))
    assert [await bench.outcome(job_id) for job_id in jobs] == ["through"] * 20
    assert set(gate.tries) == {1}


@pytest.mark.parametrize("why", ["shutdown", "timeout", "abort"])
async def test_an_interruption_that_a_library_swallows_is_repeated(bench: Bench, why: str) -> None:
    """`asyncio.wait_for` of Python 3.11 swallows a cancellation in the step in which its task ends."""
    swallowed = asyncio.Event()
    started = asyncio.Event()
    ended = []

    async def job(ctx: dict[str, Any]) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    async def on_job_end(ctx: dict[str, Any]) -> None:
        # The hook is not interrupted, however long it takes: only the job is interrupted again.
        await asyncio.sleep(0)
        ended.append(ctx["job_id"])

    job_id = await bench.put("job")
    timeout_s = 0.2 if why == "timeout" else 30
    worker = bench.worker(func(job, name="job", timeout=timeout_s, max_tries=1), on_job_end=on_job_end)
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(started.wait(), 5)
    match why:
        case "shutdown":
            await worker.close()
            assert await bench.redis.zscore(bench.queue + keys.LEASED_SUFFIX, job_id) is None
            assert await bench.job(job_id).status() is JobStatus.queued
        case "timeout":
            assert (await bench.dead_letter(job_id)).failure.type == "TimeoutError"
        case "abort":
            assert await bench.job(job_id).abort(timeout=5, poll_delay=0.05)
    assert swallowed.is_set()
    assert ended == [job_id]
    await worker.close()
    await main


async def test_a_job_may_raise_retry_when_a_shutdown_interrupts_it(bench: Bench) -> None:
    started = asyncio.Event()

    async def job(ctx: dict[str, Any]) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Retry(defer=60) from None

    job_id = await bench.put("job")
    worker = bench.worker(func(job, name="job"))
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(started.wait(), 5)
    await worker.close()
    await main
    assert await bench.job(job_id).status() is JobStatus.deferred


async def test_twenty_restarts_spend_no_try_and_count_no_crash(bench: Bench) -> None:
    gate = Gate()
    job_id = await bench.put("gated")
    await bench.redis.hset(keys.CRASHES, job_id, 2)
    for number in range(20):
        worker = bench.worker(gate.function(max_tries=1))
        main = asyncio.create_task(worker.async_run())
        await bench.until(lambda: len(gate.running) == number + 1)  # noqa: B023 (awaited within the round)
        await worker.close()
        await main
    assert set(gate.tries) == {1}
    assert int(await bench.redis.hget(keys.CRASHES, job_id)) == 2
    gate.open.set()
    await bench.burst(gate.function(max_tries=1))
    assert await bench.outcome(job_id) == "through"


async def test_jobs_that_have_not_started_are_handed_back_too(bench: Bench) -> None:
    """A worker that is stopped while it holds suspects leaves no lease behind."""
    gate = Gate()
    jobs = [await bench.put("gated") for _ in range(5)]
    neighbour = await bench.put("gated")
    for job_id in jobs:
        await bench.redis.hset(keys.CRASHES, job_id, 2)
    worker = bench.worker(gate.function())
    main = asyncio.create_task(worker.async_run())
    await bench.until(lambda: neighbour in gate.running)
    await worker.close()
    await main
    assert await bench.redis.zcard(bench.queue + keys.LEASED_SUFFIX) == 0
    for job_id in jobs:
        assert not await bench.redis.hexists(keys.LEASES, job_id)
        assert int(await bench.redis.hget(keys.CRASHES, job_id)) == 2


async def test_jobs_that_ran_in_two_crashes_run_one_at_a_time_and_only_one_is_leased(
    bench: Bench,
) -> None:
    together, leases = [], []
    at_once = 0

    async def suspect(ctx: dict[str, Any]) -> None:
        nonlocal at_once
        at_once += 1
        together.append(at_once)
        leases.append(await ctx["redis"].zcard(bench.queue + keys.LEASED_SUFFIX))
        await asyncio.sleep(0.02)
        at_once -= 1

    jobs = [await bench.put("suspect") for _ in range(8)]
    for job_id in jobs:
        await bench.redis.hset(keys.CRASHES, job_id, 2)
    async with bench.serving(func(suspect, name="suspect")):
        for job_id in jobs:
            await bench.result(job_id)
    assert together == [1] * 8
    assert leases == [1] * 8


async def test_after_one_crash_jobs_run_concurrently_with_a_full_retry_budget(bench: Bench) -> None:
    gate = Gate()
    jobs = [await bench.put("gated") for _ in range(10)]
    for job_id in jobs:
        # A dead owner leaves this: the job was claimed once, and not completed.
        await bench.redis.hset(keys.LEASES, job_id, "dead-owner")
    async with bench.serving(gate.function(max_tries=1)):
        await bench.until(lambda: len(gate.running) == 10)
        gate.open.set()
        assert [await bench.outcome(job_id) for job_id in jobs] == ["through"] * 10
    assert set(gate.tries) == {1}


async def test_a_job_whose_owner_died_three_times_is_dead_lettered(bench: Bench) -> None:
    job_id = await bench.put("fine")
    await bench.redis.hset(keys.CRASHES, job_id, 2)
    await bench.redis.hset(keys.LEASES, job_id, "dead-owner")
    await bench.burst(fine)
    dead_letter = await bench.dead_letter(job_id)
    assert (dead_letter.function, dead_letter.failure.type, dead_letter.crashes) == ("fine", "LeaseLost", 3)
    assert await bench.is_settled(job_id)


async def test_a_late_completion_is_refused(bench: Bench) -> None:
    running: list[str] = []
    late, early = asyncio.Event(), asyncio.Event()

    def function(owner: str, gate: asyncio.Event) -> Any:
        async def job(ctx: dict[str, Any]) -> str:
            running.append(owner)
            while not gate.is_set():
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    continue  # like a thread that cannot be stopped
            return owner

        return func(job, name="job")

    job_id = await bench.put("job")
    async with bench.serving(function("frozen", late)) as frozen:
        await bench.until(lambda: running == ["frozen"])
        frozen.allow_pick_jobs = False
        mark = await bench.redis.get(keys.IN_PROGRESS + job_id)

        async def is_taken_over() -> bool:
            # The state after a worker was frozen for longer than its lease: its mark is gone, and the job is due.
            # Again if it has renewed its lease before the successor has seen that.
            if await bench.redis.get(keys.IN_PROGRESS + job_id) == mark:
                await bench.redis.delete(keys.IN_PROGRESS + job_id)
                await bench.redis.zadd(bench.queue, {job_id: 1})
            return running == ["frozen", "successor"]

        async with bench.serving(function("successor", early)):
            await bench.until(is_taken_over)
            late.set()
            await bench.until(lambda: not frozen.tasks)
            assert await bench.redis.get(keys.RESULT + job_id) is None
            assert frozen.jobs_complete <= 1
            early.set()
            assert await bench.outcome(job_id) == "successor"
