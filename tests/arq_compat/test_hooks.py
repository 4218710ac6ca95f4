"""The five hooks, their order, and the context that they share with the job."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from arq.worker import Retry, func

from tests.arq_compat.conftest import Bench

_HOOKS = ("on_startup", "on_job_start", "on_job_end", "after_job_end", "on_shutdown")


class Recorder:
    """Records the order in which hooks and the job ran."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def hooks(self) -> dict[str, Any]:
        return {name: self._hook(name) for name in _HOOKS}

    def _hook(self, name: str) -> Any:
        async def hook(ctx: dict[str, Any]) -> None:
            self.order.append(name)

        return hook

    def function(self, error: Callable[[int], Exception | None] = lambda _: None) -> Any:
        async def job(ctx: dict[str, Any]) -> None:
            self.order.append("job")
            raised = error(ctx["job_try"])
            if raised is not None:
                raise raised

        return func(job, name="job")


@pytest.mark.parametrize("error", [None, ValueError("wrong")], ids=["success", "failure"])
async def test_hooks_surround_a_job(bench: Bench, error: Exception | None) -> None:
    recorder = Recorder()
    await bench.enqueue("job")
    await bench.burst(recorder.function(lambda _: error), **recorder.hooks())
    assert recorder.order == ["on_startup", "on_job_start", "job", "on_job_end", "after_job_end", "on_shutdown"]


async def test_hooks_surround_each_try(bench: Bench) -> None:
    recorder = Recorder()
    await bench.enqueue("job")
    await bench.burst(recorder.function(lambda number: Retry() if number == 1 else None), **recorder.hooks())
    assert recorder.order[1:-1] == ["on_job_start", "job", "on_job_end", "after_job_end"] * 2


async def test_the_result_is_stored_between_on_job_end_and_after_job_end(bench: Bench) -> None:
    statuses = []

    async def record_status(ctx: dict[str, Any]) -> None:
        statuses.append(await Job(ctx["job_id"], ctx["redis"], _queue_name=bench.queue).status())

    await bench.enqueue("job")
    await bench.burst(Recorder().function(), on_job_end=record_status, after_job_end=record_status)
    assert statuses == [JobStatus.in_progress, JobStatus.complete]


async def test_no_hook_is_called_for_a_job_that_is_not_run(bench: Bench) -> None:
    recorder = Recorder()
    await bench.enqueue("job", _job_try=9)
    await bench.burst(recorder.function(), **recorder.hooks())
    assert recorder.order == ["on_startup", "on_shutdown"]


async def test_the_context_describes_the_job_and_the_worker(bench: Bench) -> None:
    seen: dict[str, Any] = {}

    async def job(ctx: dict[str, Any]) -> None:
        seen.update(ctx)

    async def open_client(ctx: dict[str, Any]) -> None:
        assert isinstance(ctx["redis"], ArqRedis)
        ctx["client"] = "opened"

    enqueued = await bench.enqueue("job", _defer_by=0.05)
    context = {"mine": 1}
    await bench.burst(func(job, name="job"), on_startup=open_client, ctx=context)
    assert (seen["job_id"], seen["job_try"]) == (enqueued.job_id, 1)
    assert (seen["mine"], seen["client"]) == (1, "opened")
    assert timedelta() < datetime.now(UTC) - seen["enqueue_time"] < timedelta(seconds=30)
    assert seen["score"] == round(seen["enqueue_time"].timestamp() * 1000) + 50
    assert isinstance(seen["redis"], ArqRedis)
    assert context["client"] == "opened"  # type: ignore[comparison-overlap]


async def test_each_job_has_its_own_context(bench: Bench) -> None:
    seen = []

    async def start(ctx: dict[str, Any]) -> None:
        assert "note" not in ctx
        ctx["note"] = ctx["job_id"]

    async def job(ctx: dict[str, Any]) -> None:
        ctx["made"] = ctx["note"]

    async def end(ctx: dict[str, Any]) -> None:
        seen.append((ctx["note"], ctx["made"]))

    ids = [(await bench.enqueue("job")).job_id for _ in range(3)]
    worker = await bench.burst(
        func(job, name="job"), on_job_start=start, on_job_end=end, after_job_end=end, max_jobs=1
    )
    assert seen == [(job_id, job_id) for job_id in ids for _ in range(2)]
    assert "note" not in worker.ctx


async def test_shutdown_gets_the_same_context_as_startup(bench: Bench) -> None:
    contexts = []

    async def hook(ctx: dict[str, Any]) -> None:
        contexts.append(ctx)
        ctx["calls"] = ctx.get("calls", 0) + 1

    await bench.burst(Recorder().function(), on_startup=hook, on_shutdown=hook)
    assert contexts[0] is contexts[1]
    assert contexts[0]["calls"] == 2
