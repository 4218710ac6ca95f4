"""Instants: how a subcommand takes one from its user, and how it shows one."""

from datetime import UTC, datetime
from typing import Any

import typer


def parse_instant(text: str) -> datetime:
    """Return the instant that a user gave: a date, or date and time, in UTC if it has no offset."""
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("give a date or an instant, such as 2025-06-30 or 2025-06-30T14:00Z") from None


def instant_option(help_text: str) -> Any:
    """Return an option that takes an instant."""
    return typer.Option(parser=parse_instant, metavar="TIME", help=help_text)


def shown_instant(instant: datetime) -> str:
    """Return an instant as text in UTC, in whole milliseconds."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
