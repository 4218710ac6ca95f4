import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.support.waiting import until
from tests.unit.engine.conftest import Clock
from worker.engine.current_job import CurrentJob, enter_job
from worker.engine.job_threads import JobThreads

ONE, TWO = CurrentJob(b"one", "claim 1"), CurrentJob(b"two", "claim 1")


@pytest.fixture
def threads(clock: Clock) -> Iterator[JobThreads]:
    with JobThreads(clock) as threads:
        yield threads


async def call(job: CurrentJob | None, gate: threading.Event) -> "asyncio.Future[bool]":
    """Let a job start a call that waits for `gate`, and wait until a thread has begun it."""
    loop, began = asyncio.get_running_loop(), threading.Event()

    def wait() -> bool:
        began.set()
        return gate.wait(30)

    async def run() -> "asyncio.Future[bool]":
        if job is not None:
            enter_job(*job)
        return asyncio.ensure_future(asyncio.to_thread(wait))

    waiting = await loop.create_task(run())
    await until(began.is_set)
    return waiting


async def test_a_call_whose_job_has_ended_is_left_behind_after_a_while(threads: JobThreads, clock: Clock) -> None:
    asyncio.get_running_loop().set_default_executor(threads)
    gate = threading.Event()
    calls = [await call(job, gate) for job in (ONE, TWO, TWO, None)]

    def left(*running: CurrentJob, after_s: float = 0) -> list[CurrentJob]:
        clock.now += after_s
        return threads.left_behind(set(running), 30)

    assert left(ONE, TWO, after_s=1_000) == []
    assert left(ONE, after_s=10) == []
    assert left(ONE, after_s=29) == []
    assert left(ONE, after_s=1) == [TWO, TWO]
    # Another try of the same job is another claim.
    assert left(CurrentJob(b"two", "claim 2")) == [TWO, TWO]
    assert left(after_s=30) == [ONE, TWO, TWO]
    gate.set()
    assert await asyncio.gather(*calls) == [True] * 4
    assert left(after_s=1_000) == []


async def test_results_and_errors_come_through(threads: JobThreads) -> None:
    def fail() -> None:
        raise ValueError("it fails")

    assert threads.submit(divmod, 7, 2).result(10) == (3, 1)
    assert threads.submit(int, "11", base=2).result(10) == 3
    with pytest.raises(ValueError, match="it fails"):
        threads.submit(fail).result(10)
    assert threads.left_behind(set(), 0) == []


@pytest.mark.parametrize(("processors", "size"), [(None, 5), (2, 6), (100, 32)])
def test_there_are_as_many_threads_as_in_pythons_own_executor(
    processors: int | None, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    with JobThreads() as threads:
        assert threads.size == size
        began, gate = threading.Semaphore(0), threading.Event()

        def wait() -> bool:
            began.release()
            return gate.wait(30)

        calls = [threads.submit(wait) for _ in range(size + 1)]
        for _ in range(size):
            assert began.acquire(timeout=10)
        assert not began.acquire(timeout=0.05)
        gate.set()
        assert [call.result(10) for call in calls] == [True] * (size + 1)
