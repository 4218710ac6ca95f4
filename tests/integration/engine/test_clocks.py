"""Redis's clock decides whether a job is due; the clocks of producers and workers may be wrong."""

import time
from typing import Any

import pytest
from arq.worker import Retry, func

from tests.integration.engine.conftest import Bench

STARTED_WITHIN = 1.0  # seconds; if a wrong clock decided, a job would start 20 s late, or too early


@pytest.fixture(params=[20, -20], ids=["ahead", "behind"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock of this process, which is both producer and worker, 20 s wrong."""
    right = time.time

    def wrong() -> float:
        return right() + float(request.param)

    # arq imports the function under its own names.
    for place in ("time.time", "arq.utils.time", "arq.worker.time"):
        monkeypatch.setattr(place, wrong)
    monkeypatch.setattr("time.time_ns", lambda: int(wrong() * 1e9))


@pytest.mark.usefixtures("wrong_clock")
async def test_a_wrong_clock_does_not_change_when_a_job_starts(bench: Bench) -> None:
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
        assert await delay() < STARTED_WITHIN
        assert 0.5 <= await delay(delay_ms=500) < 0.5 + STARTED_WITHIN
        assert 0.5 <= await delay(times=2, k={"retry": True}) < 0.5 + STARTED_WITHIN
