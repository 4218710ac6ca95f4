"""Child processes that do not outlive their parent."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded here, because nothing may be imported or loaded between fork and exec.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def exit_with_parent(parent: int) -> None:
    """Have the kernel send this process a SIGTERM when its parent, of that pid, is gone: on Linux alone.

    For `preexec_fn`. The signal comes when the thread ends that forked, so start children from a lasting one.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)
