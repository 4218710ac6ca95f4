"""The engine's log lines, as a test sees them: a dictionary of the facts of each."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from worker.log_lines import LogLine


class _Capture(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, LogLine):
            line = record.msg
            self.lines.append({**line.facts, "event": line.text, "log_level": record.levelname.lower()})


@contextmanager
def capture_logs() -> Iterator[list[dict[str, Any]]]:
    """Yield the list to which each line of the engine is added, of every level and from every thread."""
    capture, logger = _Capture(), logging.getLogger("arq")
    before = logger.level
    logger.addHandler(capture)
    logger.setLevel(logging.DEBUG)
    try:
        yield capture.lines
    finally:
        logger.removeHandler(capture)
        logger.setLevel(before)
