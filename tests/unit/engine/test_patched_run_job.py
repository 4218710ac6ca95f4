"""What others put around arq's `run_job` is found and called, however and whenever they did it."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arq.worker import Worker

from tests.unit.engine.conftest import KeptEvents
from worker.engine.events import RunJobPatchFailed
from worker.engine.patched_run_job import PatchedRunJob, patched_run_job

RunJob = Callable[..., Awaitable[None]]
Patch = Callable[[RunJob, list[str]], Any]


class Leased(Worker):
    """Stands for this project's worker, which has no `run_job` of its own."""


def in_a_closure(old: RunJob, seen: list[str]) -> Any:
    async def traced(self: Worker, job_id: str, score: int) -> None:
        seen.append(f"before {job_id} {score}")
        await old(self, job_id, score)
        seen.append("after")

    return traced


def with_wraps(old: RunJob, seen: list[str]) -> Any:
    return functools.wraps(old)(in_a_closure(old, seen))


def twice(old: RunJob, seen: list[str]) -> Any:
    return in_a_closure(with_wraps(old, []), seen)


class Wrapper:
    """Stands for the wrappers of `wrapt`, which pass for the function within."""

    def __init__(self, wrapped: RunJob, seen: list[str]) -> None:
        self.__wrapped__ = wrapped
        self._seen = seen

    @property
    def __code__(self) -> Any:
        return getattr(self.__wrapped__, "__code__")  # noqa: B009 (a plain function, which typing does not know)

    def __get__(self, worker: Worker | None, owner: type) -> Any:
        return self if worker is None else functools.partial(self._call, worker)

    async def _call(self, worker: Worker, job_id: str, score: int) -> None:
        self._seen.append(f"before {job_id} {score}")
        await self.__wrapped__(worker, job_id, score)
        self._seen.append("after")


PATCHES: list[Patch] = [in_a_closure, with_wraps, twice, Wrapper]


@pytest.fixture(autouse=True)
def _arqs_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore arq's class after each test."""
    monkeypatch.setattr(Worker, "run_job", Worker.run_job)


def made(cls: type[Worker] = Leased, events: KeptEvents | None = None) -> PatchedRunJob | None:
    return patched_run_job(cls.__new__(cls), events or KeptEvents())


async def run(patched: PatchedRunJob | None, seen: list[str]) -> None:
    assert patched is not None

    async def job() -> str:
        seen.append("the job")
        return "its result"

    assert await asyncio.create_task(patched.call("id", 5, job)) == "its result"


def test_a_worker_that_nobody_has_patched_runs_its_jobs_itself() -> None:
    assert made() is None


@pytest.mark.parametrize("patch", PATCHES)
async def test_a_patch_of_arqs_class_surrounds_the_job(patch: Patch) -> None:
    seen: list[str] = []
    Worker.run_job = patch(Worker.run_job, seen)  # type: ignore[method-assign]
    await run(made(), seen)
    assert seen == ["before id 5", "the job", "after"]


@pytest.mark.parametrize("patch", PATCHES)
async def test_a_patch_of_this_projects_class_surrounds_the_job(patch: Patch) -> None:
    seen: list[str] = []

    class Patched(Leased):
        run_job = patch(Leased.run_job, seen)

    await run(made(Patched), seen)
    assert seen == ["before id 5", "the job", "after"]


async def test_a_subclass_surrounds_the_job() -> None:
    seen: list[str] = []

    class Traced(Leased):
        async def run_job(self, job_id: str, score: int) -> None:
            seen.append("before")
            await super().run_job(job_id, score)

    await run(made(Traced), seen)
    assert seen == ["before", "the job"]


@pytest.mark.parametrize("patch", PATCHES)
async def test_a_worker_can_run_again(patch: Patch) -> None:
    seen: list[str] = []
    Worker.run_job = patch(Worker.run_job, seen)  # type: ignore[method-assign]
    await run(made(), seen)
    await run(made(), seen)
    assert seen == ["before id 5", "the job", "after"] * 2


async def test_jobs_of_arqs_own_workers_pass_the_patch_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    Worker.run_job = in_a_closure(Worker.run_job, seen)  # type: ignore[method-assign]
    assert made() is not None
    stock = Worker.__new__(Worker)
    with pytest.raises(AttributeError, match="_pool"):
        # arq's function runs: its first step asks for the pool, which this worker does not have.
        await stock.run_job("id", 5)
    assert seen == ["before id 5"]


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_a_patch_that_fails_loses_no_job_and_runs_none_twice(fails: str) -> None:
    seen: list[str] = []
    events = KeptEvents()
    arqs = Worker.run_job

    async def broken(self: Worker, job_id: str, score: int) -> None:
        if fails == "before":
            raise ValueError("the tracer is broken")
        await arqs(self, job_id, score)
        raise ValueError("the tracer is broken")

    Worker.run_job = broken  # type: ignore[method-assign]
    await run(made(events=events), seen)
    assert seen == ["the job"]
    (event,) = events.of(RunJobPatchFailed)
    assert (event.patch.rsplit(".", 1)[1], event.error_class) == ("broken", "ValueError")


async def test_a_patch_that_does_not_call_arqs_function_loses_no_job() -> None:
    seen: list[str] = []
    arqs = Worker.run_job

    async def selective(self: Worker, job_id: str, score: int) -> None:
        if job_id == "another":
            await arqs(self, job_id, score)

    Worker.run_job = selective  # type: ignore[method-assign]
    await run(made(), seen)
    assert seen == ["the job"]


async def test_what_a_job_raises_passes_by_the_patch() -> None:
    seen: list[str] = []
    events = KeptEvents()
    Worker.run_job = in_a_closure(Worker.run_job, seen)  # type: ignore[method-assign]
    patched = made(events=events)
    assert patched is not None

    async def job() -> None:
        raise ValueError("the job")

    with pytest.raises(ValueError, match="the job"):
        await patched.call("id", 5, job)
    # As with arq: there the job has ended when its error gets so far.
    assert seen == ["before id 5", "after"]
    assert events.sent == []


@pytest.mark.parametrize("swallows", [False, True])
async def test_a_cancellation_reaches_the_job_and_passes_through_the_patch(swallows: bool) -> None:
    seen: list[str] = []
    arqs = Worker.run_job

    async def traced(self: Worker, job_id: str, score: int) -> None:
        try:
            await arqs(self, job_id, score)
        except asyncio.CancelledError:
            seen.append("cancelled")
            if not swallows:
                raise

    Worker.run_job = traced  # type: ignore[method-assign]
    patched = made()
    assert patched is not None
    running = asyncio.Event()

    async def job() -> None:
        running.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(patched.call("id", 5, job))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


def test_a_patch_that_hides_arqs_function_is_reported_and_not_used() -> None:
    hidden, events = [Worker.run_job], KeptEvents()

    async def opaque(self: Worker, job_id: str, score: int) -> None:
        await hidden[0](self, job_id, score)

    Worker.run_job = opaque  # type: ignore[method-assign]
    assert made(events=events) is None
    (event,) = events.of(RunJobPatchFailed)
    assert event.error_class == ""
