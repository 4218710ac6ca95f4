"""Notices a signal beside whatever handles it."""

import signal
from collections.abc import Callable
from types import FrameType


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
