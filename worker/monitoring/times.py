"""Instants and durations in words, absolute and relative."""

from datetime import UTC, datetime

# Each with the seconds from which on it is used, so that there are at least two of it, and its length.
_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "h"), (120, 60, "min"))


def duration(seconds: float) -> str:
    """Return a duration in whole units of which it has at least two: `34 s`, `12 min`, `5 h`, `3 days`."""
    for at_least, length, unit in _UNITS:
        if seconds >= at_least:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def parse_instant(text: str) -> datetime:
    """Return the instant that a user gave: a date, or date and time, in UTC if it has no offset.

    Raises `ValueError` for anything else.
    """
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the calendar") from error


def instant(at_ms: float, now_ms: float) -> str:
    """Return an instant in UTC, and how far it is from now: `2026-11-28 00:40:12 UTC (34 s ago)`."""
    try:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        # Any program can write to Redis.
        return "a time that no calendar has"
    seconds = (at_ms - now_ms) / 1000
    relative = f"in {duration(seconds)}" if seconds > 0 else f"{duration(-seconds)} ago"
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({relative})"
