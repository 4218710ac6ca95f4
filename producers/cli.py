"""The command `hospital-producer`. A subcommand's module is imported only when that subcommand is used.

The exit code is 0 if everything succeeded, 1 if only a part did, 2 if nothing was done, 130 on Ctrl-C.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import typer
from typer.exceptions import TyperException

from producers import ctrl_c
from producers.commands.support import INTERRUPTED, NOTHING
from producers.console import print_error
from worker.errors import RegistryError
from worker.lazy_commands import LazyGroup
from worker.version_option import HELP_OPTIONS, VersionOption


class _ProducerCommands(LazyGroup):
    """The subcommands of `hospital-producer`."""

    subcommands: ClassVar = {
        "inspect": ("producers.commands.inspect", "inspect"),
        "ingest": ("producers.commands.ingest", "ingest"),
        "imports": ("producers.commands.imports", "app"),
        "register": ("producers.commands.register", "register"),
        "amend": ("producers.commands.change", "amend"),
        "withdraw": ("producers.commands.change", "withdraw"),
        "correct": ("producers.commands.change", "correct"),
        "discard": ("producers.commands.change", "discard"),
        "status": ("producers.commands.status", "status"),
        "gateway": ("producers.commands.gateway", "app"),
        "generate": ("producers.commands.generate", "generate"),
    }

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


# An import creates many short-lived rows. With Python's default thresholds, garbage collection would take a sixth
# of its time.
GC_THRESHOLDS = (50_000, 20, 50)

app = typer.Typer(
    cls=_ProducerCommands,
    context_settings=HELP_OPTIONS,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Enqueue jobs for the hospital registry, and show their outcomes.",
)


@app.callback()
def options(
    version: VersionOption = False,
) -> None:
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
