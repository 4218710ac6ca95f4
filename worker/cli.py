"""The command `hospital-worker`. A subcommand's module is imported only when that subcommand is used."""

import gc
from importlib import metadata
from typing import Annotated, ClassVar

import typer

from worker.lazy_commands import LazyGroup


class _WorkerCommands(LazyGroup):
    """The subcommands of `hospital-worker`."""

    subcommands: ClassVar = {
        "run": ("worker.commands.run", "run"),
        "queue": ("worker.commands.queue", "queue"),
        "check": ("worker.commands.check", "check"),
        "schema": ("worker.commands.schema", "schema"),
        "servers": ("worker.commands.servers", "servers"),
        "settings": ("worker.commands.settings", "settings"),
        "demo": ("worker.demo.command", "demo"),
        "jobs": ("worker.commands.jobs", "app"),
        "dead": ("worker.commands.dead", "app"),
        "registry": ("worker.commands.registry", "app"),
        "audit": ("worker.commands.audit", "app"),
    }


app = typer.Typer(
    cls=_WorkerCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Monitor and manage the hospital registry's queue. To start a worker: arq worker.main.WorkerSettings",
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(metadata.version("hospital-registry-worker"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Parse the options that all commands share."""


def main() -> None:
    """Run the command line."""
    # Imports create a hundred thousand objects that are never freed. At Python's default thresholds the garbage
    # collector spends a twelfth of a command's start-up scanning them.
    gc.set_threshold(50_000, 20, 50)
    app()
