"""How a producer learns that jobs have ended, on a double of what it asks Redis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from producers.waiting import EndWatch
from tests.support.waiting import until
from worker.errors import InvalidEnvelope
from worker.queue.job_state import EndedView, JobView
from worker.queue.waiters import Over


class ScriptedWaiters:
    """A Redis whose jobs end when a test says so; it wakes the producer if `tells`, fails while `error` is set."""

    def __init__(self) -> None:
        self.views: dict[str, EndedView] = {}
        self.noted: set[str] = set()
        self.tells = True
        self.error: Exception | None = None
        self.failed = asyncio.Event()
        self.looks = 0
        self._notices: asyncio.Queue[str] = asyncio.Queue()

    def end(self, job_id: str, view: EndedView | None = None) -> None:
        self.views[job_id] = view or JobView(job_id, "done", 1)
        if self.tells and job_id in self.noted:
            self.noted.discard(job_id)
            self._notices.put_nowait(job_id)

    def _check(self) -> None:
        if self.error is not None:
            self.failed.set()
            raise self.error

    async def over(self, job_ids: Sequence[str], *, note: bool) -> Over:
        self._check()
        self.looks += not note
        ended = [job_id for job_id in job_ids if job_id in self.views]
        without_notice = not self.noted.isdisjoint(ended)
        self.noted.difference_update(ended)
        if note:
            self.noted.update(set(job_ids) - set(ended))
        return Over(ended, without_notice)

    async def wait(self, seconds: float) -> list[str]:
        self._check()
        try:
            async with asyncio.timeout(seconds):
                return [await self._notices.get()]
        except TimeoutError:
            return []

    async def ended(self, job_ids: Sequence[str]) -> dict[str, EndedView]:
        self._check()
        found = {job_id: self.views[job_id] for job_id in job_ids}
        return {job_id: view for job_id, view in found.items() if view != JobView(job_id, "unknown", 0)}


@pytest.fixture
def waiters() -> ScriptedWaiters:
    return ScriptedWaiters()


@pytest_asyncio.fixture
async def watch(waiters: Any) -> AsyncIterator[EndWatch]:
    watch = EndWatch(waiters, timeout_s=5)
    yield watch
    await watch.close()


async def start(watch: EndWatch, waiters: ScriptedWaiters, *job_ids: str) -> list[asyncio.Task[JobView | None]]:
    """Wait for jobs in tasks, and return once Redis has noted that."""
    tasks = [asyncio.create_task(watch.end_of(job_id, 60)) for job_id in job_ids]
    await until(lambda: waiters.noted >= set(job_ids))
    return tasks


async def test_a_job_that_ends_wakes_all_who_wait_for_it(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    first, second, other = await start(watch, waiters, "a", "a", "b")
    # Nobody looks: the wake-up alone does it.
    watch._look_at = float("inf")
    waiters.end("a")

    assert await first == await second == JobView("a", "done", 1)
    assert not other.done()
    waiters.end("b")
    assert await other == JobView("b", "done", 1)


async def test_a_job_that_has_ended_is_returned_at_once(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    waiters.end("a")
    assert await watch.end_of("a", 60) == JobView("a", "done", 1)
    assert waiters.noted == set()


async def test_a_lost_wake_up_is_made_up_for_by_a_look(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    waiters.tells = False
    (waiting,) = await start(watch, waiters, "a")
    waiters.end("a")

    async with asyncio.timeout(5):
        assert await waiting == JobView("a", "done", 1)


async def test_looks_become_rare_and_frequent_again_if_workers_tell_nobody(
    watch: EndWatch, waiters: ScriptedWaiters
) -> None:
    noticed, unnoticed = await start(watch, waiters, "a", "b")
    await until(lambda: watch._look_s == 1)
    waiters.end("a")
    await noticed
    assert watch._look_s == 1
    waiters.tells = False
    waiters.end("b")
    await unnoticed
    await until(lambda: watch._look_s < 1)


async def test_a_wait_that_is_over_returns_nothing(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    assert await watch.end_of("a", 0.01) is None
    assert watch._waiting == {}


async def test_a_job_that_left_nothing_is_for_the_caller_to_look_at(
    watch: EndWatch, waiters: ScriptedWaiters
) -> None:
    waiters.end("a", JobView("a", "unknown", 0))
    async with asyncio.timeout(5):
        assert await watch.end_of("a", 60) is None


async def test_an_unreadable_result_is_raised_to_those_who_wait_for_it(
    watch: EndWatch, waiters: ScriptedWaiters
) -> None:
    first, second, other = await start(watch, waiters, "a", "a", "b")
    waiters.end("a", InvalidEnvelope("a: not a result"))
    for waiting in (first, second):
        with pytest.raises(InvalidEnvelope, match="a: not a result"):
            await waiting
    waiters.end("b")
    assert await other


async def test_waiting_goes_on_after_an_outage(
    watch: EndWatch, waiters: ScriptedWaiters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.waiting._PAUSE_S", 0.01)
    (waiting,) = await start(watch, waiters, "a")
    waiters.error = RedisConnectionError("gone")
    await waiters.failed.wait()
    # Its note is lost, as in a fail-over, and another job is new meanwhile.
    waiters.noted.clear()
    new = asyncio.create_task(watch.end_of("b", 60))
    await asyncio.sleep(0)
    waiters.error = None

    await until(lambda: waiters.noted == {"a", "b"})
    waiters.end("a")
    waiters.end("b")
    assert await waiting
    assert await new


async def test_results_that_the_link_does_not_carry_together_are_read_one_by_one(
    watch: EndWatch, waiters: ScriptedWaiters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.waiting._PAUSE_S", 0.001)
    read = waiters.ended

    async def slow(job_ids: Sequence[str]) -> dict[str, EndedView]:
        if len(job_ids) > 1:
            raise RedisTimeoutError("timed out")
        return await read(job_ids)

    monkeypatch.setattr(waiters, "ended", slow)
    waiters.tells = False
    tasks = await start(watch, waiters, "a", "b", "c")
    for job_id in ("a", "b", "c"):
        waiters.end(job_id)

    async with asyncio.timeout(10):
        assert all(await asyncio.gather(*tasks))


async def test_without_the_rights_for_it_nobody_waits_here(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    waiters.error = NoPermissionError("No permissions to access a key")
    async with asyncio.timeout(5):
        waits = [watch.end_of(job_id, 60) for job_id in "ab"]
        assert await asyncio.gather(*waits) == [None, None]
        assert await watch.end_of("c", 60) is None


async def test_the_tasks_end_when_nobody_has_waited_for_a_while(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    watch._longest_look_s = 0.02
    waiters.end("a")
    assert await watch.end_of("a", 60)
    await until(lambda: all(task.done() for task in watch._tasks.values()))

    assert await watch.end_of("a", 60)


async def test_a_cancelled_wait_is_forgotten(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    (waiting,) = await start(watch, waiters, "a")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert watch._waiting == {}
    waiters.end("a")


async def test_ten_thousand_jobs_are_waited_for_in_few_calls(watch: EndWatch, waiters: ScriptedWaiters) -> None:
    ids = [f"job:{number}" for number in range(10_000)]
    tasks = await start(watch, waiters, *ids)
    for job_id in ids:
        waiters.end(job_id)

    assert {view.state for view in await asyncio.gather(*tasks) if view} == {"done"}
    assert waiters.looks < 500
