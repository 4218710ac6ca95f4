"""Logging for a process of this service: one line per event, with a stable `action` key and no payloads."""

import logging
import sys
import textwrap
from collections.abc import Mapping

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

from worker.escaping import escape, escape_lines
from worker.log_lines import MULTILINE_FACTS, LogLine
from worker.settings import Settings

# What alarms know the engine by. Its lines have other names in `logging`, for users of arq.
_ENGINE = "worker.engine"


def _escape_values(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # The JSON renderer escapes control characters; the console renderer does not. Without this a job's id could
    # control the terminal or forge a log line. Values other than strings are shown as their repr, which is escaped.
    for name, value in event.items():
        if name in MULTILINE_FACTS and isinstance(value, str):
            # Indented, so that no line of an error's message can pass for a log line.
            event[name] = textwrap.indent(escape_lines(value), "  ")
        elif isinstance(value, str):
            event[name] = escape(value)
    return event


def _take_apart(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Make the facts of a line of the engine keys of the event, as those of structlog's own lines are."""
    line = event["_record"].msg
    return {**line.facts, **event, "event": line.text} if isinstance(line, LogLine) else event


def _name_engine(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if isinstance(event["_record"].msg, LogLine):
        event["logger"] = _ENGINE
    return event


class _Identity:
    """Adds to each line what identifies this process."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        self._facts = facts

    def __call__(self, _: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**event, **self._facts}


def configure_logging(settings: Settings, identity: Mapping[str, object] | None = None) -> None:
    """Send every log line of the process to standard error, as text or as one JSON object per line.

    `identity` is on every line, as it is at the time of the line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _Identity({} if identity is None else identity),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[structlog.typing.Processor]
    if settings.log_format == "json":
        # Without the local variables of each frame, which hold payloads.
        shared.append(ExceptionRenderer(ExceptionDictTransformer(show_locals=False)))
        rendering = [structlog.processors.JSONRenderer()]
    else:
        shared.append(structlog.processors.format_exc_info)
        rendering = [
            _escape_values,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_take_apart, *shared, _name_engine],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    # The arq command gives its logger a handler. Without it each line is written only once, in our format.
    arq_logger = logging.getLogger("arq")
    arq_logger.handlers.clear()
    arq_logger.propagate = True
    # LOG_LEVEL decides, not the command's own level.
    arq_logger.setLevel(logging.NOTSET)
    # The driver's debug log can contain whole commands, with their documents.
    logging.getLogger("pymongo").setLevel(logging.WARNING)
