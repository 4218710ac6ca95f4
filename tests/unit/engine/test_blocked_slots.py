import dataclasses
from typing import Any

import pytest

from tests.support.engine import make_job
from tests.unit.engine.conftest import KeptEvents
from worker.engine.blocked_slots import BlockedSlots, WorkerBlocked
from worker.engine.context import EngineContext
from worker.engine.current_job import CurrentJob
from worker.engine.events import JobIgnoresCancellation, JobLeftThread, SlotsBlocked, ThreadsBlocked
from worker.engine.running_job import RunningJob

FIRST, BULK = "arq:queue", "arq:queue:bulk"


class HeldSlots:
    """Slots whose jobs all ignore their cancellation."""

    def __init__(self) -> None:
        self.held: list[RunningJob] = []
        self.asked_s: list[float] = []

    def fill(self, number: int, queue: str = FIRST) -> None:
        for _ in range(number):
            job = make_job(job_id=b"%d" % len(self.held), queue=queue)
            job.interrupted_by = "timeout"
            self.held.append(job)

    def ignoring(self, seconds: float) -> list[RunningJob]:
        self.asked_s.append(seconds)
        return self.held

    def jobs(self) -> list[RunningJob]:
        return self.held


class NotedExit:
    def __init__(self) -> None:
        self.codes: list[int] = []

    def stopping(self, code: int) -> None:
        self.codes.append(code)


class LeftThreads:
    """Six threads, of which so many are left behind."""

    size = 6

    def __init__(self) -> None:
        self.left: list[CurrentJob] = []
        self.asked: tuple[Any, ...] = ()

    def left_behind(self, *asked: Any) -> list[CurrentJob]:
        self.asked = asked
        return self.left


@pytest.fixture
def held() -> Any:
    return HeldSlots()


@pytest.fixture
def process_exit() -> Any:
    return NotedExit()


@pytest.mark.parametrize(("number", "slots"), [(5, 10), (10, 10), (1, 1), (1, 2), (2, 3)])
async def test_a_worker_whose_slots_are_blocked_by_half_stops_and_fails(
    context: EngineContext, events: KeptEvents, held: Any, process_exit: Any, number: int, slots: int
) -> None:
    context = dataclasses.replace(context, slots=slots, queues={FIRST: slots})
    blocked = BlockedSlots(context, held, process_exit)
    fewer = (slots - 1) // 2
    held.fill(fewer)
    await blocked.check()
    blocked.raise_if_blocked()
    assert (blocked.ignoring, blocked.why_not_ready) == (fewer, "")
    assert not context.stopping.is_set()

    held.fill(number - fewer)
    for _ in range(2):
        await blocked.check()

    assert context.stopping.is_set()
    assert context.wake.is_set()
    assert process_exit.codes == [1]
    # A database command may take as long as three leases.
    assert set(held.asked_s) == {3 * context.lease_s}
    assert events.of(SlotsBlocked) == [SlotsBlocked(number, slots)]
    said = f"{number} of {slots} slots hold jobs that ignore cancellation"
    assert (blocked.ignoring, blocked.why_not_ready) == (number, said)
    with pytest.raises(WorkerBlocked, match=said):
        blocked.raise_if_blocked()


async def test_each_job_that_ignores_its_cancellation_is_reported_once(
    context: EngineContext, events: KeptEvents, held: Any
) -> None:
    blocked = BlockedSlots(context, held, None)
    for _ in range(2):
        held.fill(1)
        await blocked.check()
        await blocked.check()

    assert events.sent == [JobIgnoresCancellation("0", "timeout"), JobIgnoresCancellation("1", "timeout")]


@pytest.mark.parametrize(("queue", "stops"), [(BULK, True), (FIRST, False)])
async def test_a_queue_whose_share_is_blocked_by_half_stops_the_worker_too(
    context: EngineContext, events: KeptEvents, held: Any, queue: str, stops: bool
) -> None:
    context = dataclasses.replace(context, slots=10, queues={FIRST: 10, BULK: 2})
    blocked = BlockedSlots(context, held, None)
    held.fill(1, queue)

    await blocked.check()

    assert context.stopping.is_set() is stops
    assert events.of(SlotsBlocked) == ([SlotsBlocked(1, 2, BULK)] if stops else [])
    said = "1 of 2 slots of arq:queue:bulk hold jobs that ignore cancellation"
    assert blocked.why_not_ready == (said if stops else "")


async def test_a_worker_whose_threads_are_left_behind_by_half_stops_and_fails(
    context: EngineContext, events: KeptEvents, held: Any, process_exit: Any
) -> None:
    threads: Any = LeftThreads()
    blocked = BlockedSlots(context, held, process_exit, threads)
    held.fill(1)
    threads.left = [CurrentJob(b"a", "1"), CurrentJob(b"b", "1")]
    for _ in range(2):
        await blocked.check()
    assert (process_exit.codes, blocked.why_not_ready) == ([], "")
    job = held.held[0]
    assert threads.asked == ({CurrentJob(job.claimed.job_id, job.token)}, 3 * context.lease_s)
    assert {event.job_id for event in events.of(JobLeftThread)} == {"a", "b"}
    assert len(events.of(JobLeftThread)) == 2

    threads.left.append(CurrentJob(b"a", "2"))
    await blocked.check()

    assert context.stopping.is_set()
    assert process_exit.codes == [1]
    assert events.of(ThreadsBlocked) == [ThreadsBlocked(3, 6)]
    assert blocked.why_not_ready == "3 of 6 threads are held by jobs that have ended"
    with pytest.raises(WorkerBlocked, match="3 of 6 threads"):
        blocked.raise_if_blocked()


async def test_a_worker_that_stops_anyway_does_not_fail(
    context: EngineContext, events: KeptEvents, held: Any
) -> None:
    held.fill(10)
    context.stopping.set()
    blocked = BlockedSlots(context, held, None)

    await blocked.check()

    blocked.raise_if_blocked()
    assert blocked.ignoring == 10
    # The heartbeat still says why.
    assert blocked.why_not_ready == "10 of 10 slots hold jobs that ignore cancellation"
    assert events.of(SlotsBlocked) == []
