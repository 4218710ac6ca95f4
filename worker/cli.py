"""The command `hospital-worker`."""

from importlib import metadata
from typing import Annotated

import typer

from worker.commands import audit, dead
from worker.commands.queue import check, queue
from worker.commands.run import run
from worker.commands.schema import schema
from worker.commands.servers import servers
from worker.demo.command import demo
from worker.settings import settings_table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Watch and tend the hospital registry's queue. The worker itself: arq worker.main.WorkerSettings",
)
app.command()(run)
app.command()(queue)
app.command()(check)
app.command()(schema)
app.command()(servers)
app.command()(demo)
app.add_typer(dead.app, name="dead")
app.add_typer(audit.app, name="audit")


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(metadata.version("hospital-registry-worker"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what is common to all commands."""


@app.command()
def settings() -> None:
    """Print the environment variables that configure workers and producers, as a Markdown table."""
    typer.echo(settings_table(), nl=False)


def main() -> None:
    """Run the command line."""
    app()
