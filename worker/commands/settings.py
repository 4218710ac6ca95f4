"""`hospital-worker settings`: the table of environment variables."""

import typer

from worker.settings import settings_table


def settings() -> None:
    """Print the settings as a Markdown table.

    They are the environment variables that configure workers and producers.
    """
    typer.echo(settings_table(), nl=False)
