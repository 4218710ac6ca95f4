"""The command `hospital-worker`. A subcommand's module is imported only when that subcommand is used."""

import gc
import sys
from typing import ClassVar

import typer
from typer.exceptions import TyperException

from worker.failing import fail
from worker.lazy_commands import LazyGroup
from worker.version_option import HELP_OPTIONS, VersionOption


class _WorkerCommands(LazyGroup):
    """The subcommands of `hospital-worker`."""

    subcommands: ClassVar = {
        "run": ("worker.commands.run", "run"),
        "queue": ("worker.commands.queue", "queue"),
        "check": ("worker.commands.check", "check"),
        "pause": ("worker.commands.pauses", "pause"),
        "resume": ("worker.commands.pauses", "resume"),
        "schema": ("worker.commands.schema", "schema"),
        "servers": ("worker.commands.servers", "servers"),
        "settings": ("worker.commands.settings", "settings"),
        "demo": ("worker.demo.command", "demo"),
        "jobs": ("worker.commands.jobs", "app"),
        "dead": ("worker.commands.dead", "app"),
        "dashboard": ("worker.commands.dashboard", "app"),
        "registry": ("worker.commands.registry", "app"),
        "audit": ("worker.commands.audit", "app"),
        "actions": ("worker.commands.actions", "app"),
    }


app = typer.Typer(
    cls=_WorkerCommands,
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Monitor and manage the hospital registry's queue. To start a worker: arq worker.main.WorkerSettings",
)


@app.callback()
def options(
    version: VersionOption = False,
) -> None:
    """Parse the options that all commands share."""


def main() -> None:
    """Run the command line. An error of its use is printed as one line on standard error."""
    # Imports create a hundred thousand objects that are never freed. At Python's default thresholds the garbage
    # collector spends a twelfth of a command's start-up scanning them.
    gc.set_threshold(50_000, 20, 50)
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        fail(f"{error.format_message()} (try --help)")
    sys.exit(status)
