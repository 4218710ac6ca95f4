"""Requests to abort a job, also if clocks differ or the job has ended already."""

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


async def test_an_old_abort_request_does_not_abort_a_later_job_with_the_same_id(bench: Bench) -> None:
    gate = Gate()
    gate.open.set()
    async with bench.serving(gate.function(keep_result=0)):
        job_id = await bench.put("gated")
        await bench.until(lambda: bench.is_settled(job_id))
        # Too late: the job has ended. arq leaves the request behind.
        assert not await bench.job(job_id).abort(timeout=5, poll_delay=0.05)
        gate.open.clear()
        # Six seconds later arq's own `enqueue_job`, which removes no request, enqueues a job with the same id.
        now_ms = await _redis_ms(bench)
        await bench.redis.zadd(keys.ABORT, {job_id: now_ms - 6_000})
        await bench.redis.set(keys.JOB + job_id, bench.envelope("gated", et=now_ms))
        await bench.redis.zadd(bench.queue, {job_id: now_ms})
        await bench.until(lambda: len(gate.running) == 2)
        queue_score = await bench.redis.zscore(bench.queue, job_id)
        # When the lease has been renewed, the worker has looked for abort requests twice.
        await bench.until(lambda: _renewed(bench, job_id, queue_score))
        gate.open.set()
        await bench.until(lambda: bench.is_settled(job_id))
    assert gate.tries == [1, 1]


@pytest.mark.parametrize("state", ["queued", "deferred", "running"])
async def test_a_job_is_aborted_even_if_its_producers_clock_is_ahead(bench: Bench, state: str) -> None:
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


async def test_a_job_is_aborted_even_if_the_callers_clock_is_behind(bench: Bench) -> None:
    gate = Gate()
    job_id = await bench.put("gated")
    await bench.redis.zadd(keys.ABORT, {job_id: await _redis_ms(bench) - 4_000})
    await bench.burst(gate.function())
    assert gate.running == []
    assert not (await bench.result(job_id))["s"]


async def test_an_abort_request_that_requeues_an_ended_job_does_not_dead_letter_it(bench: Bench) -> None:
    """arq's `Job.abort` moves a running job to the head of its queue, even if the job has ended meanwhile."""
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


async def test_abort_requests_without_a_job_are_removed(bench: Bench) -> None:
    """In arq they stay forever."""
    now_ms = time.time() * 1000
    waiting = await bench.put("unknown", delay_ms=60_000)
    requests = {f"{bench.queue}-old": now_ms - 61_000, f"{bench.queue}-new": now_ms, waiting: now_ms - 61_000}
    await bench.redis.zadd(keys.ABORT, requests)

    async def remaining() -> set[str]:
        return {job_id for job_id in requests if await bench.redis.zscore(keys.ABORT, job_id) is not None}

    async with bench.serving(fine):
        await bench.until(lambda: _is_removed(bench, f"{bench.queue}-old"))
        # A job may still be enqueued for the new request; the job of the other request is deferred.
        assert await remaining() == {f"{bench.queue}-new", waiting}


async def _is_removed(bench: Bench, job_id: str) -> bool:
    return await bench.redis.zscore(keys.ABORT, job_id) is None


async def _redis_ms(bench: Bench) -> int:
    seconds, microseconds = await bench.redis.time()
    return int(seconds * 1000 + microseconds // 1000)


async def _renewed(bench: Bench, job_id: str, score: float) -> bool:
    return bool(await bench.redis.zscore(bench.queue, job_id) > score)
