"""Lets the first process of a container heed SIGTERM before it has an event loop.

The kernel discards a signal to process 1 that has no handler, and a worker has none until arq has installed its
own: a container that was stopped while it started went on until it was killed.
"""

import os
import signal
from typing import NoReturn


def heed_sigterm() -> None:
    """If this is process 1, end it on SIGTERM from now on, with status 143; nothing is running yet.

    Delivers a SIGTERM that was blocked. The image blocks it from the start, so that none is lost before this call.
    """
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _end(signum: int, _frame: object) -> NoReturn:
    # Not `sys.exit`: an import that is running could catch it.
    os._exit(128 + signum)
