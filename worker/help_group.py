"""A group of subcommands whose help is not cut off."""

from typing import Any

from typer.core import TyperGroup

# Longer than any sentence; the formatter wraps it.
_WHOLE_SENTENCE = 1_000


class HelpGroup(TyperGroup):
    """Lists its subcommands with the whole first sentence of their help; Typer would cut it after 45 characters."""

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
