"""Log lines with facts, as plain records of the standard library's `logging`.

The engine also runs in other programs, which configure `logging` and so decide where its lines go. So nothing here
configures anything: a line is a record whose message shows its text and its facts, and each fact is an attribute of
the record too, for filters and for formatters that write JSON. `worker.logs` gives the same records this service's
own format.
"""

import logging
import textwrap
from collections.abc import Mapping
from typing import Self

from worker.escaping import escape, escape_lines

MULTILINE_FACTS = frozenset({"exception", "stack"})
"""Facts that are shown below their line, indented, so that no line of theirs can pass for a log line."""


class LogLine(str):
    """The message of a record: a string, which filters expect, that knows its text and its facts."""

    text: str
    facts: Mapping[str, object]

    def __new__(cls, text: str, facts: Mapping[str, object]) -> Self:
        """Return the text with its facts behind it."""
        # Job ids and names come from any program that can write to Redis: they must not forge a line.
        shown = [f"{name}={_shown(value)}" for name, value in facts.items() if name not in MULTILINE_FACTS]
        long = [str(facts[name]) for name in facts if name in MULTILINE_FACTS]
        below = ["\n" + textwrap.indent(escape_lines(fact), "  ") for fact in long]
        line = super().__new__(cls, " ".join([text, *shown]) + "".join(below))
        line.text, line.facts = text, facts
        return line


class LineLogger:
    """Logs lines under one name of the standard library's `logging`.

    A fact whose name `logging` or the program's factory of records uses gets an underscore as an attribute of the
    record: `message_`.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, text: str, **facts: object) -> None:
        """Log a line of level DEBUG."""
        self._log(logging.DEBUG, text, facts)

    def info(self, text: str, **facts: object) -> None:
        """Log a line of level INFO."""
        self._log(logging.INFO, text, facts)

    def warning(self, text: str, **facts: object) -> None:
        """Log a line of level WARNING."""
        self._log(logging.WARNING, text, facts)

    def error(self, text: str, *, extra: object = None, **facts: object) -> None:
        """Log a line of level ERROR; `extra` is an attribute of the record and never shown."""
        self._log(logging.ERROR, text, facts, extra=extra)

    def _log(self, level: int, text: str, facts: dict[str, object], **hidden: object) -> None:
        if self._logger.isEnabledFor(level):
            # `logging` refuses to overwrite these. A program's own factory of records may set more of them.
            taken = {*vars(logging.makeLogRecord({})), "asctime", "message"}
            attributes = {f"{name}_" if name in taken else name: value for name, value in facts.items()}
            self._logger.log(level, LogLine(text, facts), extra=attributes | hidden, stacklevel=3)


def _shown(value: object) -> str:
    text = escape(str(value))
    return repr(text) if not text or set(text) & set(" ='\"") else text
