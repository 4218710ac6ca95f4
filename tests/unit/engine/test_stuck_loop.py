import asyncio
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from tests.support.engine import TOKEN, make_job
from tests.unit.engine.conftest import KeptEvents
from worker.engine.current_job import enter_job
from worker.engine.events import EventLoopStuck
from worker.engine.running_job import RunningJob
from worker.engine.stuck_loop import StuckLoop

ALLOWED_S, MARGIN_S = 30.0, 10.0
STUCK_S = ALLOWED_S + MARGIN_S


class NotedAct:
    """Notes which job was left out when the others were handed back."""

    def __init__(self) -> None:
        self.left_out: list[RunningJob | None] = []

    def hand_back_running(self, *, except_for: RunningJob | None = None) -> None:
        self.left_out.append(except_for)


class Exited(Exception):
    """Stands for the end of the process."""


class NotedExit:
    """Ends no process."""

    longest_job_s = 60.0

    def __init__(self) -> None:
        self.allowed: list[float] = []

    def allow(self, seconds: float) -> None:
        self.allowed.append(seconds)

    def leave(self, code: int, act: Callable[[], None], seconds: float) -> NoReturn:
        act()
        raise Exited(code)


def running(*allowed_s: float) -> dict[bytes, RunningJob]:
    jobs = {}
    for number, seconds in enumerate(allowed_s):
        job = make_job(job_id=b"%d" % number)
        job.allowed_s = seconds
        jobs[job.claimed.job_id] = job
    return jobs


def watch(
    jobs: dict[bytes, RunningJob], events: KeptEvents, process_exit: Any = None
) -> tuple[StuckLoop, NotedAct]:
    act: Any = NotedAct()
    return StuckLoop(jobs, act, events, process_exit), act


def look_from_a_thread(stuck_loop: StuckLoop, *silences_s: float) -> list[Any]:
    """Look at the loop of this thread from another one, while it stands still here."""
    found: list[Any] = []
    here = threading.get_ident()

    def look() -> None:
        for silent_s in silences_s:
            try:
                found.append(stuck_loop.look(silent_s, here))
            except Exited as error:
                found.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    return found


async def test_a_loop_is_stuck_if_it_is_silent_for_longer_than_its_job_may_take(events: KeptEvents) -> None:
    jobs = running(1.0, ALLOWED_S)
    enter_job(b"1", TOKEN)
    stuck_loop, act = watch(jobs, events)

    assert look_from_a_thread(stuck_loop, STUCK_S - 0.1, STUCK_S - 0.1) == [False, False]
    assert look_from_a_thread(stuck_loop, STUCK_S, STUCK_S + 1) == [False, True]

    assert act.left_out == [jobs[b"1"]]
    (event,) = events.of(EventLoopStuck)
    assert (event.seconds, event.job_id) == (STUCK_S + 1, "1")
    assert "in test_a_loop_is_stuck_if_it_is_silent_for_longer_than_its_job_may_take" in event.stack


async def test_a_process_that_was_frozen_is_not_stuck(events: KeptEvents) -> None:
    stuck_loop, act = watch(running(ALLOWED_S), events)

    assert look_from_a_thread(stuck_loop, 3_600, 0.1, 3_600, 0.1) == [False] * 4
    assert (act.left_out, events.sent) == ([], [])


async def test_a_stuck_loop_is_reported_once_until_it_comes_back(events: KeptEvents) -> None:
    stuck_loop, _ = watch(running(ALLOWED_S), events)

    assert look_from_a_thread(stuck_loop, *[3_600] * 5) == [False, True, False, False, False]
    assert look_from_a_thread(stuck_loop, 0, 3_600, 3_600) == [False, False, True]


async def test_a_job_holds_the_loop_with_the_tasks_that_it_starts(events: KeptEvents) -> None:
    jobs = running(ALLOWED_S, ALLOWED_S)
    stuck_loop, act = watch(jobs, events)
    found: list[Any] = []

    async def compute() -> None:
        found.extend(look_from_a_thread(stuck_loop, STUCK_S, STUCK_S))

    async def job() -> None:
        enter_job(b"1", TOKEN)
        async with asyncio.TaskGroup() as group:
            group.create_task(compute())

    await asyncio.create_task(job())

    assert found == [False, True]
    assert act.left_out == [jobs[b"1"]]
    assert events.of(EventLoopStuck)[0].job_id == "1"


@pytest.mark.parametrize("token", ["another", TOKEN])
async def test_a_task_that_its_job_has_left_behind_is_no_running_jobs_fault(token: str, events: KeptEvents) -> None:
    jobs = running(ALLOWED_S, ALLOWED_S)
    # Another try of the job may run meanwhile, under another claim.
    enter_job(b"1" if token != TOKEN else b"ended", token)
    stuck_loop, act = watch(jobs, events)

    assert look_from_a_thread(stuck_loop, STUCK_S, STUCK_S) == [False, True]

    assert act.left_out == [None]
    assert events.of(EventLoopStuck)[0].job_id == ("1" if token != TOKEN else "ended")


async def test_no_job_is_handed_back_if_none_is_known_to_hold_the_loop(events: KeptEvents) -> None:
    jobs = running(ALLOWED_S, ALLOWED_S)
    stuck_loop, act = watch(jobs, events)

    assert look_from_a_thread(stuck_loop, STUCK_S, STUCK_S) == [False, True]

    assert act.left_out == []
    assert events.of(EventLoopStuck)[0].job_id == ""


async def test_jobs_that_compute_in_turn_are_not_stuck(events: KeptEvents) -> None:
    jobs = running(ALLOWED_S, ALLOWED_S)
    stuck_loop, act = watch(jobs, events)
    for job_id in (b"0", b"1", b"0"):
        enter_job(job_id, TOKEN)
        assert look_from_a_thread(stuck_loop, STUCK_S) == [False]

    assert act.left_out == []


async def test_without_jobs_only_the_margin_counts(events: KeptEvents) -> None:
    stuck_loop, _ = watch({}, events)

    assert look_from_a_thread(stuck_loop, MARGIN_S, MARGIN_S) == [False, True]


async def test_a_job_without_a_timeout_may_hold_the_loop_for_ever(events: KeptEvents) -> None:
    stuck_loop, _ = watch(running(ALLOWED_S, float("inf")), events)
    enter_job(b"1", TOKEN)

    assert look_from_a_thread(stuck_loop, 1e9, 1e9) == [False, False]


async def test_a_job_without_a_timeout_lets_no_other_hold_the_loop(events: KeptEvents) -> None:
    jobs = running(ALLOWED_S, float("inf"))
    stuck_loop, act = watch(jobs, events)
    enter_job(b"0", TOKEN)

    assert look_from_a_thread(stuck_loop, STUCK_S, STUCK_S) == [False, True]
    assert act.left_out == [jobs[b"0"]]


async def test_what_is_not_a_job_may_hold_the_loop_for_as_long_as_any_job(events: KeptEvents) -> None:
    stuck_loop, _ = watch(running(ALLOWED_S, float("inf")), events)

    assert look_from_a_thread(stuck_loop, *[300 + MARGIN_S - 0.1] * 2) == [False, False]
    assert look_from_a_thread(stuck_loop, *[300 + MARGIN_S] * 2) == [False, True]


@pytest.mark.parametrize(("processors", "allowed_s"), [(None, 70.0), (2, 70.0), (64, 320.0)])
async def test_threads_may_keep_all_processors_busy_between_two_looks(
    processors: int | None, allowed_s: float, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    process_exit = NotedExit()

    watch(running(ALLOWED_S), events, process_exit)

    assert process_exit.allowed == [allowed_s]


async def test_the_process_ends_if_it_belongs_to_the_worker(
    events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    jobs = running(ALLOWED_S)
    enter_job(b"0", TOKEN)
    process_exit = NotedExit()
    stuck_loop, act = watch(jobs, events, process_exit)

    first, second = look_from_a_thread(stuck_loop, STUCK_S, STUCK_S)

    assert first is False
    assert isinstance(second, Exited)
    assert second.args == (1,)
    assert act.left_out == [jobs[b"0"]]
    # At the start and with each look: any job of the worker may start and compute before the next one.
    assert process_exit.allowed == [70.0] * 3
    stuck_loop.close()
    assert process_exit.allowed[3:] == [float("inf")]
