"""Requests to abort a job, by clocks that differ, and too late."""

import asyncio
import time
from typing import Any

import pytest

from tests.integration.engine.conftest import Bench, Gate
from worker.queue import keys


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


async def test_a_running_job_is_aborted(bench: Bench) -> None:
    gate = Gate()
    job_id = await bench.put("gated")
    async with bench.serving(gate.function()):
        await bench.until(lambda: gate.running)
        assert await bench.job(job_id).abort(timeout=5, poll_delay=0.05)
        assert await bench.is_settled(job_id)
        assert await bench.redis.zscore(keys.ABORT, job_id) is None


@pytest.mark.parametrize("delay_ms", [0, 60_000], ids=["due", "deferred"])
async def test_a_queued_job_is_aborted_and_never_runs(bench: Bench, delay_ms: int) -> None:
    gate = Gate()
    job_id = await bench.put("gated", delay_ms=delay_ms)
    aborting = asyncio.create_task(bench.job(job_id).abort(timeout=8, poll_delay=0.05))
    await bench.until(lambda: bench.redis.zscore(keys.ABORT, job_id))
    async with bench.serving(gate.function()):
        assert await aborting
    assert gate.running == []
    assert await bench.is_settled(job_id)


async def test_an_old_request_to_abort_touches_no_later_job_of_the_id(bench: Bench) -> None:
    gate = Gate()
    gate.open.set()
    async with bench.serving(gate.function(keep_result=0)):
        job_id = await bench.put("gated")
        await bench.until(lambda: bench.is_settled(job_id))
        # Too late: the job has ended. arq leaves the request behind.
        assert not await bench.job(job_id).abort(timeout=5, poll_delay=0.05)
        gate.open.clear()
        # The next job of the id is of arq's own `enqueue_job`, which clears no request away, six seconds later.
        now_ms = await _redis_ms(bench)
        await bench.redis.zadd(keys.ABORT, {job_id: now_ms - 6_000})
        await bench.redis.set(keys.JOB + job_id, bench.envelope("gated", et=now_ms))
        await bench.redis.zadd(bench.queue, {job_id: now_ms})
        await bench.until(lambda: len(gate.running) == 2)
        queue_score = await bench.redis.zscore(bench.queue, job_id)
        # Two rounds of looking for requests have passed when the lease was renewed.
        await bench.until(lambda: _renewed(bench, job_id, queue_score))
        gate.open.set()
        await bench.until(lambda: bench.is_settled(job_id))
    assert gate.tries == [1, 1]


@pytest.mark.parametrize("state", ["queued", "deferred", "running"])
async def test_a_producers_clock_that_runs_ahead_keeps_no_job_from_being_aborted(bench: Bench, state: str) -> None:
    gate = Gate()
    delay_ms = 60_000 if state == "deferred" else 0
    job_id = await bench.put("gated", delay_ms=delay_ms, et=int(time.time() * 1000) + 600_000)

    def abort() -> "asyncio.Task[bool]":
        return asyncio.create_task(bench.job(job_id).abort(timeout=8, poll_delay=0.05))

    aborting = None
    if state != "running":
        aborting = abort()
        await bench.until(lambda: bench.redis.zscore(keys.ABORT, job_id))
    async with bench.serving(gate.function()):
        if aborting is None:
            await bench.until(lambda: gate.running)
            aborting = abort()
        assert await aborting
    assert gate.running == ([job_id] if state == "running" else [])


async def test_the_clock_of_who_aborts_may_be_late(bench: Bench) -> None:
    gate = Gate()
    job_id = await bench.put("gated")
    await bench.redis.zadd(keys.ABORT, {job_id: await _redis_ms(bench) - 4_000})
    await bench.burst(gate.function())
    assert gate.running == []
    assert not (await bench.result(job_id))["s"]


async def test_a_request_that_puts_an_ended_job_back_makes_no_dead_letter_of_it(bench: Bench) -> None:
    """arq's `Job.abort` moves a job that runs to the head of its queue, whether or not it still runs by then."""
    job_id = await bench.put("fine")
    job = bench.job(job_id)
    await bench.burst(fine, keep_result=0)
    assert await bench.is_settled(job_id)
    await bench.redis.zadd(bench.queue, {job_id: 1})
    await bench.redis.zadd(keys.ABORT, {job_id: await _redis_ms(bench)})
    await bench.burst(fine)
    assert await bench.is_settled(job_id)
    assert await bench.redis.hget(keys.DEAD, job_id) is None
    assert await job.result_info() is None


async def test_requests_to_abort_that_meet_no_job_are_cleared_away(bench: Bench) -> None:
    """arq's stay for ever."""
    now_ms = time.time() * 1000
    waiting = await bench.put("nobody's", delay_ms=60_000)
    requests = {f"{bench.queue}-old": now_ms - 61_000, f"{bench.queue}-new": now_ms, waiting: now_ms - 61_000}
    await bench.redis.zadd(keys.ABORT, requests)

    async def left() -> set[str]:
        return {job_id for job_id in requests if await bench.redis.zscore(keys.ABORT, job_id) is not None}

    async with bench.serving(fine):
        await bench.until(lambda: _has_gone(bench, f"{bench.queue}-old"))
        # The job of one may still come; the other's is there.
        assert await left() == {f"{bench.queue}-new", waiting}


async def _has_gone(bench: Bench, job_id: str) -> bool:
    return await bench.redis.zscore(keys.ABORT, job_id) is None


async def _redis_ms(bench: Bench) -> int:
    seconds, microseconds = await bench.redis.time()
    return int(seconds * 1000 + microseconds // 1000)


async def _renewed(bench: Bench, job_id: str, score: float) -> bool:
    return bool(await bench.redis.zscore(bench.queue, job_id) > score)
