"""What a command does when the reader of its output ends early, as in `audit show hr:42 | head -1`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_CLOSED_PIPE = 128 + signal.SIGPIPE
"""141, as the shell reports it of a program that the signal ends; Python ignores that signal."""


@contextmanager
def quiet_when_closed() -> Iterator[None]:
    """Run a command; if its output is closed, end it without a message, with the code 141."""
    try:
        try:
            yield
        finally:
            # What is in the buffer would otherwise be written when Python ends, which can only warn then.
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_CLOSED_PIPE) from None
