"""The option `--version` of both programs."""

from typing import Annotated

import typer

from worker.version import installed_version


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(installed_version())
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
"""The context settings of both programs; their subcommands inherit them."""
