"""Instants: how a subcommand takes one from its user."""

from datetime import datetime
from typing import Any

import typer

from worker.monitoring.times import parse_instant


def instant_option(help_text: str) -> Any:
    """Return an option that takes an instant."""
    return typer.Option(parser=_parsed, metavar="TIME", help=help_text)


def _parsed(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError:
        raise typer.BadParameter("give a date or an instant, such as 2025-06-30 or 2025-06-30T14:00Z") from None
