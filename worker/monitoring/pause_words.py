"""Pauses in words."""

from collections.abc import Iterable, Iterator

from worker.escaping import escape
from worker.monitoring.times import instant
from worker.queue.pauses import Pause


def paused_since(pause: Pause, now_ms: float) -> str:
    """Return since when something is paused, and if that is known by whom and why."""
    since = f" since {instant(pause.since_ms, now_ms)}" if pause.since_ms else ""
    by, reason = f" by {pause.by}" if pause.by else "", f": {pause.reason}" if pause.reason else ""
    return f"paused{since}{by}{reason}"


def pause_lines(pauses: Iterable[Pause], now_ms: float) -> Iterator[str]:
    """Yield a line for each pause, without control codes."""
    for pause in pauses:
        yield escape(f"{pause.kind} {pause.name} is {paused_since(pause, now_ms)}")
