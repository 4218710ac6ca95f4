"""The command `hospital-worker`. A subcommand's module is imported when it is called, not before."""

import gc
from collections import UserDict
from importlib import import_module, metadata
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

# Of each subcommand, the module and what of it is the command or the group of commands. Together the modules
# take a second to import on a small machine, most of it for drivers that one subcommand alone needs.
_PLACES = {
    "run": ("worker.commands.run", "run"),
    "queue": ("worker.commands.queue", "queue"),
    "check": ("worker.commands.queue", "check"),
    "schema": ("worker.commands.schema", "schema"),
    "servers": ("worker.commands.servers", "servers"),
    "settings": ("worker.commands.settings", "settings"),
    "demo": ("worker.demo.command", "demo"),
    "dead": ("worker.commands.dead", "app"),
    "audit": ("worker.commands.audit", "app"),
}


class _Subcommands(UserDict[str, Any]):
    def __init__(self) -> None:
        super().__init__(_PLACES)

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        module, attribute = self.data[name]
        found = getattr(import_module(module), attribute)
        # Within an app of their own, for the app is what says how help looks.
        within = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            within.add_typer(found, name=name)
            return cast(TyperGroup, cast(TyperGroup, get_command(within)).commands[name])
        within.command(name)(found)
        return cast(TyperCommand, get_command(within))


class _OnDemand(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Subcommands()


app = typer.Typer(
    cls=_OnDemand,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Watch and tend the hospital registry's queue. The worker itself: arq worker.main.WorkerSettings",
)


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


def main() -> None:
    """Run the command line."""
    # Importing makes a hundred thousand objects that stay; at Python's own thresholds a twelfth of a command's
    # start goes into looking through them for garbage.
    gc.set_threshold(50_000, 20, 50)
    app()
