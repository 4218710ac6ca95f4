"""A group of subcommands whose modules are imported only when they are used."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.main import get_group

from worker.closed_pipe import quiet_when_closed
from worker.help_group import HelpGroup


class LazyGroup(HelpGroup):
    """A group that imports a subcommand's module on first use.

    `subcommands` has the module of each subcommand, and the name of the command or group in it. Importing all of
    them takes a second on a small machine, mostly for libraries that only one subcommand needs.
    """

    subcommands: ClassVar[Mapping[str, tuple[str, str]]]

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the interface of Typer)
        """Return the names in the order of the help text."""
        return list(self.subcommands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand. An unknown name is a usage error that suggests the closest match."""
        if cmd_name not in self.subcommands:
            if ctx.resilient_parsing:
                # The shell asks for completions, and there are none.
                return None
            closest = get_close_matches(cmd_name, self.subcommands, n=1)
            ctx.fail(f"No such command {cmd_name!r}." + (f" Did you mean {closest[0]!r}?" if closest else ""))
        module, attribute = self.subcommands[cmd_name]
        return _as_command(cmd_name, getattr(import_module(module), attribute))

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand. It ends quietly if the reader of its output does."""
        with quiet_when_closed():
            return super().invoke(ctx)


def _as_command(name: str, target: typer.Typer | Callable[..., Any]) -> Any:
    parent = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(target, typer.Typer):
        parent.add_typer(target, name=name)
    else:
        parent.command(name)(target)
    return get_group(parent).commands[name]
