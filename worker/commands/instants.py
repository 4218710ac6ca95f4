"""Instants: how a subcommand takes one from its user, and how it shows one."""

from datetime import UTC, datetime
from typing import Any

import typer

from worker.monitoring.times import parse_instant


def instant_option(help_text: str) -> Any:
    """Return an option that takes an instant."""
    return typer.Option(parser=_parsed, metavar="TIME", help=help_text)


def shown_instant(instant: datetime) -> str:
    """Return an instant as text in UTC, in whole milliseconds."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parsed(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError:
        raise typer.BadParameter("give a date or an instant, such as 2025-06-30 or 2025-06-30T14:00Z") from None
