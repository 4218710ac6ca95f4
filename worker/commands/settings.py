"""`hospital-worker settings`: the table of environment variables."""

import json
from typing import Annotated

import typer

from worker.settings_table import settings_rows, settings_table


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Print the settings as a Markdown table.

    They are the environment variables that configure workers and producers.
    """
    typer.echo(
        json.dumps({"settings": settings_rows()}, indent=2) if as_json else settings_table().removesuffix("\n")
    )
