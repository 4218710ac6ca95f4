"""How `hospital-worker` ends when it cannot do what it was asked for."""

import sys
from typing import NoReturn

from worker.escaping import escape_lines

EXIT_FAILED = 1
EXIT_NOTHING_DONE = 2


def fail(message: str, code: int = EXIT_NOTHING_DONE) -> NoReturn:
    """Write a message, usually of one line, to standard error and exit with `code`."""
    print(escape_lines(f"hospital-worker: {message}"), file=sys.stderr)  # noqa: T201 (for the user, not a log line)
    raise SystemExit(code)
