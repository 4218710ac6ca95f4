"""The command `hospital-worker`. A subcommand's module is imported only when that subcommand is used."""

import gc
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

# The module of each subcommand, and the name of the command or group in it. Importing all of them takes a second on
# a small machine, mostly for drivers that only one subcommand needs.
_SUBCOMMANDS = {
    "run": ("worker.commands.run", "run"),
    "queue": ("worker.commands.queue", "queue"),
    "check": ("worker.commands.check", "check"),
    "schema": ("worker.commands.schema", "schema"),
    "servers": ("worker.commands.servers", "servers"),
    "settings": ("worker.commands.settings", "settings"),
    "demo": ("worker.demo.command", "demo"),
    "dead": ("worker.commands.dead", "app"),
    "audit": ("worker.commands.audit", "app"),
}


class LazyGroup(TyperGroup):
    """A group that imports a subcommand's module on first use."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the interface of TyperGroup)
        """Return the names in the order of the help text."""
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand. An unknown name is a usage error that suggests the closest match."""
        if cmd_name not in _SUBCOMMANDS:
            closest = get_close_matches(cmd_name, _SUBCOMMANDS, n=1)
            ctx.fail(f"No such command {cmd_name!r}." + (f" Did you mean {closest[0]!r}?" if closest else ""))
        module, attribute = _SUBCOMMANDS[cmd_name]
        return _as_command(cmd_name, getattr(import_module(module), attribute))


def _as_command(name: str, target: typer.Typer | Callable[..., Any]) -> Any:
    parent = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(target, typer.Typer):
        parent.add_typer(target, name=name)
    else:
        parent.command(name)(target)
    return get_group(parent).commands[name]


app = typer.Typer(
    cls=LazyGroup,
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
