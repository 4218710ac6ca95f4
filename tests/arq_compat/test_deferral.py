"""Jobs with a deferred start."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.jobs import JobStatus
from arq.worker import func

from tests.arq_compat.conftest import Bench


@pytest.mark.parametrize("delay", [0.3, timedelta(milliseconds=300)], ids=["seconds", "timedelta"])
async def test_a_job_starts_no_sooner_than_defer_by(bench: Bench, delay: float | timedelta) -> None:
    started = []

    async def job(ctx: dict[str, Any]) -> None:
        started.append(time.time())

    enqueued = time.time()
    deferred = await bench.enqueue("job", _defer_by=delay)
    assert await deferred.status() is JobStatus.deferred
    await bench.burst(func(job, name="job"))
    assert 0.29 <= started[0] - enqueued < 1.3


async def test_a_job_starts_no_sooner_than_defer_until(bench: Bench) -> None:
    started = []

    async def job(ctx: dict[str, Any]) -> None:
        started.append(datetime.now(UTC))

    due = datetime.now(UTC) + timedelta(seconds=0.3)
    await bench.enqueue("job", _defer_until=due)
    await bench.burst(func(job, name="job"))
    assert timedelta(milliseconds=-10) <= started[0] - due < timedelta(seconds=1)


async def test_a_job_with_a_due_time_in_the_past_starts_at_once(bench: Bench) -> None:
    async def job(ctx: dict[str, Any]) -> int:
        score: int = ctx["score"]
        return score

    due = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    late = await bench.enqueue("job", _defer_until=due)
    assert await late.status() is JobStatus.queued
    await bench.burst(func(job, name="job"))
    assert await late.result(timeout=5) == int(due.timestamp() * 1000)


async def test_a_deferred_job_does_not_block_a_due_one(bench: Bench) -> None:
    order = []

    async def job(ctx: dict[str, Any], name: str) -> None:
        order.append(name)

    await bench.enqueue("job", "later", _defer_by=0.2)
    await bench.enqueue("job", "now")
    await bench.burst(func(job, name="job"))
    assert order == ["now", "later"]


async def test_defer_by_and_defer_until_exclude_each_other(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="not both"):
        await bench.enqueue("job", _defer_by=1, _defer_until=datetime.now(UTC))
