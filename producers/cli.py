"""The command `hospital-producer`. A subcommand's module is imported only when that subcommand is used.

The exit code is 0 if everything succeeded, 1 if only a part did, 2 if nothing was done, 130 on Ctrl-C.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_group

from producers import ctrl_c
from producers.commands.support import INTERRUPTED, NOTHING
from producers.console import print_error
from worker.errors import RegistryError

# The module of each subcommand, and the name of the command or group in it.
_SUBCOMMANDS = {
    "inspect": ("producers.commands.inspect", "inspect"),
    "ingest": ("producers.commands.ingest", "ingest"),
    "imports": ("producers.commands.imports", "app"),
    "register": ("producers.commands.register", "register"),
    "status": ("producers.commands.status", "status"),
    "generate": ("producers.commands.generate", "generate"),
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

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments; Ctrl-C ends the program with one line."""
        with _until_interrupted():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; Ctrl-C ends it with one line."""
        with _until_interrupted():
            return super().invoke(ctx)


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        # Typer would end the program without a word.
        ctrl_c.ignore()
        print_error("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def _as_command(name: str, target: typer.Typer | Callable[..., Any]) -> Any:
    parent = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(target, typer.Typer):
        parent.add_typer(target, name=name)
    else:
        parent.command(name)(target)
    return get_group(parent).commands[name]


# A load creates many short-lived rows. With Python's default thresholds, garbage collection would take a sixth of
# its time.
GC_THRESHOLDS = (50_000, 20, 50)

app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Enqueue jobs for the hospital registry, and show their outcomes.",
)


@app.callback()
def options() -> None:
    """Enqueue jobs for the hospital registry, and show their outcomes."""


def main() -> None:
    """Run the command line. A known error is printed as one line on standard error."""
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        print_error(f"{error.format_message()} (try --help)")
        status = NOTHING
    except RegistryError as error:
        print_error(str(error))
        status = NOTHING
    except KeyboardInterrupt:
        print_error("interrupted")
        status = INTERRUPTED
    ctrl_c.ignore()
    sys.exit(status)
