"""The end of a process that a job has forked: it must not go on in a copy of its worker."""

import contextlib
import os
import sys


def end_forked_child(worker_pid: int, error: BaseException | None = None) -> None:
    """End this process if it is not that of the worker; to be called where code of a job returns or raises.

    A child has copies of the event loop and of the connections, and would end the copy of the worker as if that had
    failed: seconds later, with its traceback and code 1. The exit code is that of a program that `error` ends.
    """
    if os.getpid() == worker_pid:
        return
    # What it has written is in a buffer; a standard output that cannot be written to keeps nobody here.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(_exit_code(error))


def _exit_code(error: BaseException | None) -> int:
    if error is None or (isinstance(error, SystemExit) and error.code is None):
        return 0
    return error.code & 0xFF if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
