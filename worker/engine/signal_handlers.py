"""Notices signals beside whatever handles them."""

import faulthandler
import functools
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

# The heading of each stack that `faulthandler` writes.
_HEADING = b"(most recent call first)"
_PIPE_BYTES = 65_536


def call_before_handler(signum: int, notice: Callable[[int], None]) -> None:
    """Call `notice` with each such signal, before the handler that it has; without a handler, nothing is changed.

    To be called in the main thread.
    """
    handler = signal.getsignal(signum)
    if not callable(handler):
        return

    def both(signum: int, frame: FrameType | None) -> object:
        notice(signum)
        return handler(signum, frame)

    signal.signal(signum, both)
    # As event loops do it: interrupted system calls are repeated.
    signal.siginterrupt(signum, False)


def notice_at_once(signals: tuple[signal.Signals, ...], notice: Callable[[], None]) -> None:
    """Call `notice` in a thread with each such signal that has a handler, also if that cannot run yet.

    Python's own handlers wait for the main thread to come out of a call into C, which may take minutes. What
    `faulthandler` does for a signal does not: it writes a stack, here into a pipe that the thread reads. Only a
    call that holds the interpreter's lock holds up the thread too. To be called in the main thread.
    """
    reader, writer = os.pipe()
    # A signal that finds the pipe full is one of thousands.
    os.set_blocking(writer, False)

    def read() -> None:
        pending = b""
        while True:
            pending += os.read(reader, _PIPE_BYTES)
            *stacks, pending = pending.split(_HEADING)
            for _ in stacks:
                notice()

    threading.Thread(target=read, name="signal-reader", daemon=True).start()
    for signum in signals:
        if callable(signal.getsignal(signum)):
            faulthandler.register(signum, file=writer, all_threads=False, chain=True)


@functools.cache
def have_defaults_in_forked_children(signals: tuple[signal.Signals, ...]) -> None:
    """Let these signals end a forked child, as they end any process that does not handle them.

    A child inherits the handlers, and the pipes through which they report a signal to this process's event loop: a
    job that terminates its child would stop the worker instead. Once for the whole life of the process.
    """
    mask = threading.local()

    def hold() -> None:
        # A signal that finds the child before it has its defaults would still be reported to this process.
        mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask.before)

    def go_on_in_child() -> None:
        signal.set_wakeup_fd(-1)
        for signum in signals:
            faulthandler.unregister(signum)
            signal.signal(signum, signal.SIG_DFL)
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=go_on_in_child)
