import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import until
from tests.unit.engine.conftest import KeptEvents, with_replaced
from worker.engine import process_exit
from worker.engine.events import ExitForced
from worker.engine.process_exit import ProcessExit


class Process:
    """In place of this process: how it was ended, and what the interpreter's watchdog and the kernel got to do."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.watchdog: list[float] = []
        self.timers: list[tuple[int, float]] = []
        self.dumped_at: list[int] = []

    def exit(self, code: int) -> None:
        self.codes.append(code)

    def dump_later(self, seconds: float, *, exit: bool) -> None:  # noqa: A002 (as faulthandler names it)
        assert exit
        self.watchdog.append(seconds)

    def set_timer(self, which: int, seconds: float) -> None:
        self.timers.append((which, seconds))

    def dump_at(self, signum: int, *, chain: bool) -> None:
        # Without the chain the signal would not end the process.
        assert chain
        self.dumped_at.append(signum)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    process = Process()
    monkeypatch.setattr(process_exit, "os", with_replaced(os, _exit=process.exit))
    dumps: dict[str, Any] = {"dump_traceback_later": process.dump_later, "register": process.dump_at}
    monkeypatch.setattr(process_exit, "faulthandler", with_replaced(faulthandler, **dumps))
    monkeypatch.setattr(process_exit, "signal", with_replaced(signal, setitimer=process.set_timer))
    monkeypatch.setattr(process_exit, "_CLOSING_S", 0.9)
    monkeypatch.setattr(process_exit, "_ENDED_S", 0.1)
    return process


@pytest.fixture
def endless() -> Iterator[threading.Thread]:
    """A thread that an exiting interpreter would wait for."""
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait, name="endless")
    thread.start()
    yield thread
    may_end.set()
    thread.join()


@pytest.mark.usefixtures("endless")
async def test_a_process_that_has_ended_is_gone_soon(process: Process, events: KeptEvents) -> None:
    acts: list[str] = []
    leaving = ProcessExit(events, 60, 60)
    leaving.before_exit = lambda: acts.append("hand back")
    leaving.ended(3)

    await until(lambda: process.codes)

    assert process.codes == [3]
    # There is nothing left to hand back.
    assert acts == []
    (event,) = events.of(ExitForced)
    assert "endless" in event.threads
    assert "MainThread" not in event.threads


async def test_a_process_that_stops_has_its_grace_period(process: Process, events: KeptEvents) -> None:
    acts: list[str] = []
    leaving = ProcessExit(events, 0.2, 60)
    leaving.before_exit = lambda: acts.append("hand back")
    began = time.monotonic()
    leaving.stopping()

    await until(lambda: process.codes)

    assert time.monotonic() - began >= 0.2
    assert (process.codes, acts) == ([0], ["hand back"])
    # The interpreter's watchdog comes after it, and only if it could not run.
    assert process.watchdog == [pytest.approx(1.1)]


async def test_a_signal_after_a_failure_does_not_make_it_a_success(process: Process, events: KeptEvents) -> None:
    leaving = ProcessExit(events, 0.1, 60)
    leaving.stopping(code=1)
    leaving.stopping()

    await until(lambda: process.codes)

    assert process.codes == [1]


async def test_a_second_signal_ends_the_grace_period(process: Process, events: KeptEvents) -> None:
    leaving = ProcessExit(events, 3_600, 60)
    leaving.stopping()
    leaving.stopping()

    await until(lambda: process.codes)

    assert process.watchdog == [3_600.9, 0.9]


async def test_the_step_before_the_exit_is_not_waited_for_without_end(process: Process, events: KeptEvents) -> None:
    answered = threading.Event()
    leaving = ProcessExit(events, 0, 60)
    leaving.before_exit = lambda: _wait(answered)
    leaving.stopping(code=1)

    await until(lambda: process.codes)

    assert process.codes == [1]
    answered.set()


def _wait(answered: threading.Event) -> None:
    answered.wait(10)


async def test_a_process_may_compute_as_long_as_its_jobs_may_run(process: Process, events: KeptEvents) -> None:
    leaving = ProcessExit(events, 3_600, 60)
    leaving.allow(70)
    leaving.allow(float("inf"))

    # 0 switches the timer off.
    assert process.timers == [(signal.ITIMER_VIRTUAL, 70), (signal.ITIMER_VIRTUAL, 0)]
    assert process.dumped_at == [signal.SIGVTALRM]


async def test_a_standard_error_without_a_file_has_no_watchdog(
    process: Process, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("unable to get sys.stderr")

    replaced = with_replaced(faulthandler, dump_traceback_later=no_file, register=no_file)
    monkeypatch.setattr(process_exit, "faulthandler", replaced)
    ProcessExit(events, 0, 60).stopping()

    await until(lambda: process.codes)

    assert process.watchdog == []


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """A signal handler of this process that notes what it got."""
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda signum, frame: seen.append(signum))
    yield seen
    signal.signal(signal.SIGUSR2, before)


async def test_signals_are_noticed_beside_their_handlers(
    process: Process, events: KeptEvents, handled: list[int]
) -> None:
    leaving = ProcessExit(events, 0, 60)
    leaving.watch(signal.SIGUSR2)
    signal.raise_signal(signal.SIGUSR2)

    await until(lambda: process.codes)

    assert handled == [signal.SIGUSR2]
    assert process.codes == [0]


async def test_a_signal_without_a_handler_keeps_its_meaning(process: Process, events: KeptEvents) -> None:
    before = signal.getsignal(signal.SIGUSR2)
    assert not callable(before)

    ProcessExit(events, 0, 60).watch(signal.SIGUSR2)

    assert signal.getsignal(signal.SIGUSR2) is before


async def test_its_threads_keep_no_process_alive(process: Process, events: KeptEvents) -> None:
    ProcessExit(events, 0, 60)

    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "process-exit")
