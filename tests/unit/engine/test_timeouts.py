import asyncio

import pytest

from worker.engine.running_job import RunningJob
from worker.engine.timeouts import Timeouts
from worker.queue.claim import ClaimedJob


class Clock:
    """An event loop with a clock and timers only; time passes when the test calls `advance_to`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, object, tuple[float, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: object, *arguments: float) -> None:
        self.timers.append((when, callback, arguments))

    def advance_to(self, now: float) -> None:
        while due := [timer for timer in self.timers if timer[0] <= now]:
            timer = min(due, key=lambda timer: timer[0])
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1](*timer[2])  # type: ignore[operator]
        self.now = now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Timeouts:
    loop: asyncio.AbstractEventLoop = clock  # type: ignore[assignment]
    return Timeouts(loop)


def job() -> RunningJob:
    return RunningJob(ClaimedJob(b"id", "queue", 0, 1, 0, -1, "", b""), "token")


def late(jobs: list[RunningJob]) -> list[int]:
    return [number for number, running in enumerate(jobs) if running.interrupted_by == "timeout"]


def test_each_job_is_interrupted_at_its_own_deadline(clock: Clock, limits: Timeouts) -> None:
    jobs = [job() for _ in range(4)]
    for number, running in enumerate(jobs):
        clock.advance_to(number)
        limits.begin(running, 10 if number else 3.5)
    seen = []
    for now in (3.4, 3.5, 10.9, 11, 12.5, 13):
        clock.advance_to(now)
        seen.append(late(jobs))
    assert seen == [[], [0], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]


def test_only_jobs_that_have_not_ended_are_interrupted(clock: Clock, limits: Timeouts) -> None:
    jobs = [job() for _ in range(3)]
    for number, running in enumerate(jobs):
        clock.advance_to(number)
        limits.begin(running, 10)
    limits.end(jobs[0], 10)
    limits.end(jobs[2], 10)
    clock.advance_to(11)
    assert late(jobs) == [1]
    clock.advance_to(60)
    assert late(jobs) == [1]


def test_any_number_of_jobs_needs_one_timer(clock: Clock, limits: Timeouts) -> None:
    for number in range(1_000):
        clock.advance_to(number / 100)
        running = job()
        limits.begin(running, 20)
        limits.end(running, 20)
    assert len(clock.timers) == 1
    last = job()
    limits.begin(last, 20)
    clock.advance_to(29.9)
    assert (late([last]), len(clock.timers)) == ([], 1)
    clock.advance_to(30)
    assert (late([last]), len(clock.timers)) == ([0], 0)
