"""Log lines with facts, as plain records of the standard library's `logging`.

The engine also runs in other programs, and whoever configures `logging` there decides where its lines go. So
nothing here configures anything: a line is a record whose message shows its text and its facts, and each fact is an
attribute of the record too, for filters and for formatters that write JSON. `worker.logs` gives the same records
this service's own format.
"""

import logging
import textwrap

from worker.escaping import escape, escape_lines

MULTILINE_FACTS = frozenset({"exception", "stack"})
"""Facts that are shown below their line, indented, so that no line of theirs can pass for a log line."""

# `logging` refuses to overwrite these.
_TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message"}


class LogLine:
    """The message of a record: a text and its facts, made into one string only if a handler asks for it."""

    __slots__ = ("facts", "text")

    def __init__(self, text: str, facts: dict[str, object]) -> None:
        self.text = text
        self.facts = facts

    def __str__(self) -> str:
        # Job ids and names come from any program that can write to Redis: they must not forge a line.
        shown = [f"{name}={_shown(value)}" for name, value in self.facts.items() if name not in MULTILINE_FACTS]
        below = [
            "\n" + textwrap.indent(escape_lines(str(self.facts[name])), "  ")
            for name in self.facts
            if name in MULTILINE_FACTS
        ]
        return " ".join([self.text, *shown]) + "".join(below)


class LineLogger:
    """Logs lines under one name of the standard library's `logging`.

    A fact whose name `logging` uses itself gets an underscore as an attribute of the record: `message_`.
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
            attributes = {f"{name}_" if name in _TAKEN else name: value for name, value in facts.items()}
            self._logger.log(level, LogLine(text, facts), extra=attributes | hidden, stacklevel=3)


def _shown(value: object) -> str:
    text = escape(str(value))
    return repr(text) if not text or set(text) & set(" ='\"") else text
