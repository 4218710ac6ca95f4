"""Whether a job is due is decided by Redis's clock; those of producers and workers may be wrong."""

import time
from typing import Any

import pytest
from arq.worker import Retry, func

from tests.integration.engine.conftest import Bench

TAKEN_WITHIN = 1.0  # seconds; a clock that is heeded holds the job up for twenty, or runs it at once


@pytest.fixture(params=[20, -20], ids=["ahead", "behind"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process, producer and worker in one, tell a time that is 20 s off."""
    right = time.time

    def wrong() -> float:
        return right() + float(request.param)

    # arq has names of its own for the function.
    for place in ("time.time", "arq.utils.time", "arq.worker.time"):
        monkeypatch.setattr(place, wrong)
    monkeypatch.setattr("time.time_ns", lambda: int(wrong() * 1e9))


@pytest.mark.usefixtures("wrong_clock")
async def test_a_wrong_clock_neither_delays_nor_hastens_a_job(bench: Bench) -> None:
    started: dict[str, list[float]] = {}

    async def note(ctx: dict[str, Any], *, retry: bool = False) -> None:
        started.setdefault(ctx["job_id"], []).append(time.monotonic())
        if retry and ctx["job_try"] == 1:
            raise Retry(defer=0.5)

    async def delay(times: int = 1, **options: Any) -> float:
        before = time.monotonic()
        job_id = await bench.put("note", **options)
        await bench.until(lambda: len(started.get(job_id, [])) == times)
        return started[job_id][-1] - before

    async with bench.serving(func(note, name="note")):
        assert await delay() < TAKEN_WITHIN
        assert 0.5 <= await delay(delay_ms=500) < 0.5 + TAKEN_WITHIN
        assert 0.5 <= await delay(times=2, k={"retry": True}) < 0.5 + TAKEN_WITHIN
