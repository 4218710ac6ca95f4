"""Ends a test run that hangs, and says which test hung and where.

pytest-timeout fails a test that takes too long, once, by raising an error in it. That is not enough. It stops
watching as soon as a test has failed, for whatever reason, so what hangs after that, such as a fixture, hangs for
ever. And Hypothesis and the engine catch that error as they catch any other of a test or a job, and go on. So each
process has a thread that ends it, with the stacks of all threads, if a test with all its fixtures takes longer than
its timeout and `TEARDOWN_S`. With pytest-xdist this fails the test, and another process runs the next ones.

`--session-timeout` bounds the whole run, as `make test` does: no test starts after that. If the run has not ended
`END_S` later, the process that started the others ends it, and names the tests that were running.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

TEARDOWN_S = 30.0
END_S = 240.0


class Watchdog:
    """Ends this process at a deadline. The thread needs nothing of the main thread, which may hang anywhere."""

    def __init__(self) -> None:
        # What fd 2 is while a test runs belongs to the capturing of its output.
        self._stderr = os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
        self._changed = threading.Condition()
        self._deadlines: dict[str, float] = {}
        self.running: dict[str, None] = {}
        """The tests that run here or, with pytest-xdist, in the processes that this one has started."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def watch(self, subject: str, seconds: float) -> None:
        """End the process in that time, unless `forget` is called for the same subject before."""
        with self._changed:
            self._deadlines[subject] = time.monotonic() + seconds
            self._changed.notify()

    def forget(self, subject: str) -> None:
        """Take a subject off the list."""
        with self._changed:
            self._deadlines.pop(subject, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                late = [subject for subject, deadline in self._deadlines.items() if deadline <= time.monotonic()]
                if late:
                    self._end(late)
                nearest = min(self._deadlines.values(), default=threading.TIMEOUT_MAX)
                self._changed.wait(min(nearest - time.monotonic(), 3_600))

    def _end(self, late: list[str]) -> None:
        lines = [f"HANGS: {subject}" for subject in late] + [f"running: {test}" for test in list(self.running)]
        os.write(self._stderr, "\n".join(["", *lines, "", ""]).encode())
        faulthandler.dump_traceback(self._stderr, all_threads=True)
        os._exit(1)


class HangingTests:
    """The hooks that report to the watchdog what to expect."""

    def __init__(self, config: pytest.Config) -> None:
        self._watchdog = Watchdog()
        # Only a process that pytest-xdist has started has this.
        self._was_started_by_another = hasattr(config, "workerinput")
        limit_s = config.getoption("session_timeout")
        if limit_s is not None and not self._was_started_by_another:
            self._watchdog.watch("the whole run", limit_s + END_S)

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Watch a test for as long as it may take, and its fixtures."""
        self._watchdog.watch(item.nodeid, settings.timeout + TEARDOWN_S)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Stop watching a test once its fixtures have ended too."""
        try:
            return (yield)
        finally:
            self._watchdog.forget(item.nodeid)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note a test that starts, here or in another process."""
        self._watchdog.running[nodeid] = None

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note a test that has ended."""
        self._watchdog.running.pop(nodeid, None)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Watch the end of the process, which waits for threads that tests have left behind."""
        if not self._was_started_by_another:
            # Others wait until the last of them has run its tests, and are ended by pytest-xdist then.
            self._watchdog.watch("the end of the process", TEARDOWN_S)
