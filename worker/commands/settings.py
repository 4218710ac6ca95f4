"""`hospital-worker settings`: the table of environment variables."""

import typer

from worker.settings import settings_table


def settings() -> None:
    """Print the environment variables that configure workers and producers, as a Markdown table."""
    typer.echo(settings_table(), nl=False)
