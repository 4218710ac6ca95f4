"""The command `hospital-worker`. A subcommand's module is imported when it is called, not before."""

import gc
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

# Each subcommand's module, and the name in it of the command or group. Imported together they take a second on a
# small machine, most of it for drivers that one subcommand alone needs.
_SUBCOMMANDS = {
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


class LazyGroup(TyperGroup):
    """A group that imports a subcommand only when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the interface of TyperGroup)
        """Return the names in the order in which the help lists them."""
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand. An unknown name ends with a usage error that suggests the closest one."""
        if cmd_name not in _SUBCOMMANDS:
            closest = get_close_matches(cmd_name, _SUBCOMMANDS, n=1)
            ctx.fail(f"No such command {cmd_name!r}." + (f" Did you mean {closest[0]!r}?" if closest else ""))
        module, attribute = _SUBCOMMANDS[cmd_name]
        return _as_command(cmd_name, getattr(import_module(module), attribute))


def _as_command(name: str, found: typer.Typer | Callable[..., Any]) -> Any:
    parent = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    return get_group(parent).commands[name]


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Monitor and manage the hospital registry's queue. The worker itself: arq worker.main.WorkerSettings",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(metadata.version("hospital-registry-worker"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what is common to all commands."""


def main() -> None:
    """Run the command line."""
    # Importing makes a hundred thousand objects that stay. At Python's own thresholds the garbage collector takes a
    # twelfth of a command's start to look through them.
    gc.set_threshold(50_000, 20, 50)
    app()
