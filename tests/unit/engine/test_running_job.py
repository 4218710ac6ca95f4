import asyncio

import pytest

from tests.support.engine import make_job
from worker.engine import running_job
from worker.engine.running_job import Interruption, RunningJob


class Swallower:
    """A job's coroutine that swallows the first `times` cancellations, as a library on the way may do."""

    def __init__(self, times: int) -> None:
        self.job = make_job()
        self.cancellations = 0
        self.ended = False
        self._times = times

    async def run(self) -> None:
        self.job.begin()
        try:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancellations += 1
                    if self.cancellations > self._times:
                        raise
        except asyncio.CancelledError:
            self.job.end()
            self.ended = True


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_job, "CLEAN_UP_S", 0.01)


async def start(swallower: Swallower) -> "asyncio.Task[None]":
    task = asyncio.create_task(swallower.run())
    swallower.job.launched(task)
    await asyncio.sleep(0)
    return task


@pytest.mark.usefixtures("soon_again")
async def test_a_job_is_cancelled_again_until_it_returns() -> None:
    swallower = Swallower(times=3)
    task = await start(swallower)
    swallower.job.interrupt("timeout")

    async with asyncio.timeout(5):
        await task
    assert (swallower.cancellations, swallower.ended) == (4, True)


@pytest.mark.usefixtures("soon_again")
async def test_a_job_that_has_returned_is_not_cancelled_again() -> None:
    job = make_job()
    returned, hooks = asyncio.Event(), asyncio.Event()

    async def run() -> str:
        job.begin()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            job.returned()
        returned.set()
        # A hook runs here, for longer than the time until the next cancellation.
        await hooks.wait()
        return "hooks ran"

    task = asyncio.create_task(run())
    job.launched(task)  # type: ignore[arg-type]  # only cancelled, never read
    await asyncio.sleep(0)
    job.interrupt("shutdown")
    await returned.wait()
    asyncio.get_running_loop().call_later(0.03, hooks.set)

    assert await task == "hooks ran"


async def test_an_interruption_before_the_first_step_is_raised_by_begin() -> None:
    job = make_job()
    job.interrupt("abort")

    with pytest.raises(asyncio.CancelledError):
        job.begin()
    assert job.interrupted_by == "abort"


async def test_the_first_interruption_counts() -> None:
    swallower = Swallower(times=0)
    task = await start(swallower)
    swallower.job.interrupt("lost")
    swallower.job.interrupt("shutdown")

    await task
    assert (swallower.job.interrupted_by, swallower.cancellations) == ("lost", 1)


@pytest.mark.parametrize("reason", ["timeout", "abort", "lost", "shutdown", "postponed"])
async def test_nothing_interrupts_a_job_that_has_ended(reason: Interruption) -> None:
    job = make_job()

    async def run() -> str:
        job.begin()
        job.end()
        job.interrupt(reason)
        await asyncio.sleep(0)
        return "stored"

    task = asyncio.create_task(run())
    job.launched(task)  # type: ignore[arg-type]  # only cancelled, never read

    assert await task == "stored"
    assert job.interrupted_by is None


@pytest.mark.parametrize(
    ("requested_ms", "meant"),
    [(-1, False), (0, False), (4_999, False), (5_000, True), (10_000, True), (99_999, True)],
)
def test_a_request_to_abort_is_for_a_job_that_was_enqueued_before_it(requested_ms: float, meant: bool) -> None:
    job = make_job()
    job.read(10_000)

    assert job.is_meant_by(requested_ms) is meant


def test_no_request_is_known_to_be_meant_for_a_job_that_was_not_read() -> None:
    assert not make_job().is_meant_by(10**15)


def test_an_id_that_is_not_utf8_is_shown_escaped() -> None:
    assert isinstance(make_job(job_id=b"id\xff"), RunningJob)
    assert make_job(job_id=b"id\xff").name == "id\\xff"


@pytest.mark.usefixtures("soon_again")
async def test_a_job_ignores_its_cancellation_until_it_returns() -> None:
    swallower = Swallower(times=2)
    task = await start(swallower)
    job, loop = swallower.job, asyncio.get_running_loop()
    before = loop.time()
    assert not job.ignores_cancellation(since=before + 60)

    job.interrupt("abort")

    assert not job.ignores_cancellation(since=before)
    assert job.ignores_cancellation(since=before + 60)
    async with asyncio.timeout(5):
        await task
    assert not job.ignores_cancellation(since=before + 60)
    assert job.has_ended


async def test_a_job_that_waits_for_its_turn_does_not_ignore_its_cancellation() -> None:
    job = make_job()
    job.interrupt("shutdown")

    assert not job.ignores_cancellation(since=asyncio.get_running_loop().time() + 60)
