"""A group of subcommands whose help is not cut off."""

from typing import Any

import typer
from typer.core import TyperGroup

from worker.failing import EXIT_NOTHING_DONE

# Longer than any sentence; the formatter wraps it.
_WHOLE_SENTENCE = 1_000


class HelpGroup(TyperGroup):
    """Lists its subcommands with the whole first sentence of their help; Typer would cut it after 45 characters.

    Called without arguments, it writes its help; Typer would make one long error of it.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of subcommands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(_WHOLE_SENTENCE))
                    for name, command in commands.items()
                    if command
                ]
            )

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments. Without any, write the help to standard error: nothing was done."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            ctx.exit(EXIT_NOTHING_DONE)
        return super().parse_args(ctx, args)
