"""Ends the process of a worker in time, whatever threads and calls delay it."""

import contextlib
import faulthandler
import logging
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from worker.engine.events import Events, ExitForced
from worker.engine.signal_handlers import notice_at_once

_CLOSING_S = 5.0
"""Seconds after the grace period within which the process is gone."""
# The deadline comes before that, because `before_exit` needs some time.
_BEFORE_EXIT_S, _SPARE_S = 0.6, 0.2
# A process that has nothing left to do is gone within this time, or something holds it up.
_ENDED_S = 1.0
# How soon a thread that computes lets another one run. By default each step of `before_exit` would wait 5 ms.
_SWITCH_S = 0.0002
_NO_FILE = (AttributeError, RuntimeError, ValueError, OSError)


class ProcessExit:
    """Ends this process at its deadline, if it has not ended by itself, from a thread of its own.

    Python waits for threads when it exits, those of the default executor among them, and a call in the event loop's
    thread holds up everything else. Signals are noticed even if the event loop does not run.

    Create it in a process that exists for the worker alone: `LeaseWorker.run` does so if `owns_process` is set.
    `longest_job_s` is how long a job of this worker may take. `before_exit` is called before the end, as long as
    there is time.
    """

    def __init__(self, events: Events, grace_s: float, longest_job_s: float) -> None:
        self._events = events
        self._grace_s = grace_s
        self.longest_job_s = longest_job_s
        self.before_exit: Callable[[], None] | None = None
        self._orders: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        self._signals = 0
        # A standard error without a file cannot be written to from a signal handler.
        with contextlib.suppress(*_NO_FILE):
            faulthandler.register(signal.SIGVTALRM, chain=True)
        threading.Thread(target=self._run, name="process-exit", daemon=True).start()

    def watch(self, *signals: signal.Signals) -> None:
        """Notice these signals beside the handlers that they have. To be called in the main thread."""
        notice_at_once(signals, self.stopping)

    def stopping(self, code: int = 0) -> None:
        """Give the process the grace period and 5 s; called once more, it has only the 5 s left."""
        self._signals += 1
        seconds = _CLOSING_S if self._signals > 1 else self._grace_s + _CLOSING_S
        # For a call that holds the interpreter's lock by then: this needs no lock. It ends the process with code 1.
        with contextlib.suppress(*_NO_FILE):
            faulthandler.dump_traceback_later(seconds, exit=True)
        self._orders.put((seconds - _BEFORE_EXIT_S - _SPARE_S, code))

    def ended(self, code: int) -> None:
        """Note that the process has nothing left to do."""
        self.before_exit = None
        self._orders.put((_ENDED_S, code))

    def allow(self, seconds: float) -> None:
        """Let this process compute for so many seconds before this is called again; infinite: as long as it likes.

        A call that holds the interpreter's lock stops all its threads, but not the kernel, whose signal ends the
        process then; where each thread was is written to standard error. Seconds of processor time, because a
        process that was frozen must not end when it is thawed.
        """
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds if math.isfinite(seconds) else 0)

    def leave(
        self, code: int, before_exit: Callable[[], None] | None = None, seconds: float = _BEFORE_EXIT_S
    ) -> NoReturn:
        """End the process after `before_exit`, which has so many seconds."""
        # In a thread, because Redis or the reader of the log may not answer.
        steps = threading.Thread(target=self._take_last_steps, args=(before_exit or self.before_exit,), daemon=True)
        # A new thread may be refused, at the very end of the interpreter for example.
        with contextlib.suppress(RuntimeError):
            steps.start()
            steps.join(seconds)
        os._exit(code)

    def _run(self) -> None:
        deadline, code = math.inf, 0
        while (left_s := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                seconds, ordered = self._orders.get(timeout=None if math.isinf(left_s) else left_s)
                # A signal that follows a failure does not make it a success.
                code, deadline = max(code, ordered), min(deadline, time.monotonic() + seconds)
        self.leave(code)

    def _take_last_steps(self, before_exit: Callable[[], None] | None) -> None:
        sys.setswitchinterval(_SWITCH_S)
        threads = [thread.name for thread in threading.enumerate() if not thread.daemon]
        exit_forced = ExitForced([name for name in threads if name != threading.main_thread().name])
        wait_until_logged = self._events.send_aside(exit_forced)
        if before_exit is not None:
            before_exit()
        wait_until_logged(None)
        for handler in logging.getLogger().handlers:
            handler.flush()
        sys.stdout.flush()
