"""Signals, `job_completion_wait`, closing, and running the same object again as `arq --watch` does."""

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from arq.jobs import Job, JobStatus
from arq.worker import Worker, func, run_worker

from tests.arq_compat.conftest import Bench


class Gated:
    """A job that waits for its gate, and counts its runs and cancellations."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.runs = 0
        self.cancelled = 0

    def function(self) -> Any:
        async def job(ctx: dict[str, Any]) -> str:
            self.runs += 1
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return "done"

        return func(job, name="job")


async def _start(bench: Bench, gated: Gated, **options: Any) -> tuple[Worker, "asyncio.Task[None]", Job]:
    job = await bench.enqueue("job")
    worker = bench.worker(gated.function(), handle_signals=True, **options)
    task = asyncio.create_task(worker.async_run())
    await bench.until(lambda: gated.runs)
    return worker, task, job


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_returns_running_jobs_to_the_queue(bench: Bench, number: signal.Signals) -> None:
    gated = Gated()
    stops: list[signal.Signals] = []
    worker, task, job = await _start(bench, gated)
    worker.on_stop = stops.append
    os.kill(os.getpid(), number)
    await bench.until(task.done)
    await bench.close(worker, task)
    assert (gated.cancelled, stops) == (1, [number])
    assert worker.jobs_retried == 1
    assert await job.status() is JobStatus.queued
    gated.gate.set()
    await bench.burst(gated.function())
    assert await job.result(timeout=5) == "done"
    assert gated.runs == 2


async def test_running_jobs_can_finish_within_the_completion_wait(bench: Bench) -> None:
    gated = Gated()
    worker, task, job = await _start(bench, gated, job_completion_wait=10)
    os.kill(os.getpid(), signal.SIGTERM)
    await bench.until(lambda: not worker.allow_pick_jobs)
    waiting = await bench.enqueue("job")
    gated.gate.set()
    await bench.until(task.done)
    await bench.close(worker, task)
    assert (gated.runs, gated.cancelled) == (1, 0)
    assert await job.result(timeout=5) == "done"
    assert await waiting.status() is JobStatus.queued


async def test_running_jobs_are_cancelled_after_the_completion_wait(bench: Bench) -> None:
    gated = Gated()
    worker, task, job = await _start(bench, gated, job_completion_wait=0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    await bench.until(task.done)
    await bench.close(worker, task)
    assert gated.cancelled == 1
    assert await job.status() is JobStatus.queued


async def test_a_worker_without_signals_stops_when_closed(bench: Bench) -> None:
    gated = Gated()
    job = await bench.enqueue("job")
    async with bench.serving(gated.function()) as worker:
        await bench.until(lambda: gated.runs)
    assert gated.cancelled == 1
    assert await job.status() is JobStatus.queued
    assert not any(not task.done() for task in worker.tasks.values())


async def test_closing_a_worker_that_never_ran_does_nothing(bench: Bench) -> None:
    hooks = []

    async def hook(ctx: dict[str, Any]) -> None:
        hooks.append("on_shutdown")

    await bench.close(bench.worker(Gated().function(), on_shutdown=hook))
    assert hooks == []


async def test_the_same_worker_object_can_run_again(bench: Bench) -> None:
    hooks = []

    async def fine(ctx: dict[str, Any]) -> str:
        return "fine"

    async def up(ctx: dict[str, Any]) -> None:
        hooks.append("up")

    async def down(ctx: dict[str, Any]) -> None:
        hooks.append("down")

    worker = bench.worker(func(fine, name="fine"), on_startup=up, on_shutdown=down)
    stops: list[signal.Signals] = []
    worker.on_stop = stops.append
    for run in range(1, 4):
        job = await bench.enqueue("fine")
        task = asyncio.create_task(worker.async_run())
        assert await job.result(timeout=5, poll_delay=0.02) == "fine"
        await bench.until(lambda run=run: worker.jobs_complete == run)  # type: ignore[misc]
        await bench.until(lambda: not any(not job.done() for job in worker.tasks.values()))
        worker.handle_sig(signal.SIGUSR1)
        await bench.close(worker, task)
    assert hooks == ["up", "down"] * 3
    assert set(stops) == {signal.SIGUSR1}


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq closes its pool this way
async def test_run_worker_takes_a_settings_class(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fine(ctx: dict[str, Any]) -> str:
        return "fine"

    monkeypatch.setattr("arq.worker.Worker", bench.worker_class)
    settings = {**bench.worker_options(), "functions": [func(fine, name="fine")], "no_such_setting": 1}
    job = await bench.enqueue("fine")
    workers = []

    def run() -> None:
        # `Worker.run` needs an event loop in its thread.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        workers.append(run_worker(settings, burst=True))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert await job.result(timeout=10, poll_delay=0.02) == "fine"
    await bench.until(lambda: not thread.is_alive())
    assert isinstance(workers[0], bench.worker_class)
    assert workers[0].jobs_complete == 1
