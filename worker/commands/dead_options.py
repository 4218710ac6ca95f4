"""Which dead letters a command is about: the options that select them."""

from datetime import datetime
from typing import Annotated

import typer

from worker.commands.instants import instant_option
from worker.queue.dead_letter_filter import DeadLetterFilter


def filter_options(
    *,
    function: Annotated[str | None, typer.Option(help="Only jobs of this function.")] = None,
    error: Annotated[str | None, typer.Option(help="Only jobs that failed with this error class.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    since: Annotated[datetime | None, instant_option("Only jobs that failed from then on; UTC.")] = None,
    until: Annotated[datetime | None, instant_option("Only jobs that failed before then; UTC.")] = None,
    text: Annotated[str | None, typer.Option(help="Only jobs whose reason contains this text.")] = None,
) -> DeadLetterFilter:
    """Return what these options select."""
    return DeadLetterFilter(function, error, queue, since, until, text)
