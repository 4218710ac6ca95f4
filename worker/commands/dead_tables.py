"""How dead letters are shown to a person."""

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from worker.escaping import escape, escape_lines
from worker.monitoring.times import instant
from worker.queue.dead_letter import DeadLetter, Failure


def letters_table(dead_letters: Iterable[DeadLetter]) -> Table:
    """Return dead letters as a table, without their payloads."""
    table = Table(box=None, pad_edge=False)
    for heading in ("job", "function", "tries", "error", "reason"):
        # An id that is cut off could not be copied.
        table.add_column(heading, overflow="fold")
    for dead_letter in dead_letters:
        failure = dead_letter.failure
        row = dead_letter.job_id, dead_letter.function or "?", str(failure.tries), failure.type, dead_letter.reason
        # Text, because rich interprets `[red]` in a string as markup.
        table.add_row(*(Text(escape(cell)) for cell in row))
    return table


def facts_of(dead_letter: DeadLetter, now_ms: float) -> dict[str, str]:
    """Return in words what failed, when, how often and where; empty if it is not known. There is no payload."""
    failure = dead_letter.failure
    enqueued = dead_letter.enqueued_at
    return {
        "job": escape(dead_letter.job_id),
        "function": escape(dead_letter.function or ""),
        "queue": escape(dead_letter.queue),
        "reason": escape(dead_letter.reason),
        "error": _error(failure),
        "failed": f"{instant(failure.at_ms, now_ms)}, in try {failure.tries}" if failure.at_ms else "",
        "where": escape(_where(failure)),
        "worker": escape(dead_letter.worker),
        "enqueued": instant(enqueued.timestamp() * 1000, now_ms) if enqueued else "",
        "lost leases": str(dead_letter.crashes) if dead_letter.crashes else "",
        "earlier": "\n".join(_earlier(dead_letter.history, now_ms)),
        "payload": f"{dead_letter.payload_bytes or len(dead_letter.envelope):,} bytes"
        if dead_letter.has_payload
        else "none is stored",
    }


def traceback_of(dead_letter: DeadLetter) -> str:
    """Return the traceback of a dead letter; empty if there is none."""
    return escape_lines(dead_letter.failure.traceback.rstrip())


def _error(failure: Failure) -> str:
    return escape(f"{failure.type}: {failure.message}" if failure.message else failure.type)


def _earlier(history: Iterable[Failure], now_ms: float) -> Iterator[str]:
    for failure in history:
        yield f"try {failure.tries}, {instant(failure.at_ms, now_ms)}: {_error(failure)}"


def _where(failure: Failure) -> str:
    """Return the innermost place that a traceback names."""
    places = [line.strip() for line in failure.traceback.splitlines() if line.lstrip().startswith('File "')]
    return places[-1] if places else ""
