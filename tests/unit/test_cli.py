import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from producers.cli import app as producer_app
from worker.cli import app

BOTH = pytest.mark.parametrize("program", [app, producer_app])


def commands(program: typer.Typer) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command and group of a program."""
    root: Any = get_command(program)
    context = root.make_context("program", ["--help"], resilient_parsing=True)
    for name in root.list_commands(context):
        yield (name,)
        command = root.get_command(context, name)
        if isinstance(command, TyperGroup):
            yield from ((name, nested) for nested in command.list_commands(context))


@BOTH
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_help_is_whole_and_fits_80_columns(program: typer.Typer, option: str) -> None:
    found = [(), *commands(program)]
    assert len(found) > 10
    for words in found:
        shown = CliRunner().invoke(program, [*words, option], env={"COLUMNS": "80"})
        assert shown.exit_code == 0, words
        assert max(map(len, shown.output.splitlines())) <= 80, words
        assert not re.search(r"\.\.\.$", shown.output.partition("Commands:")[2], re.MULTILINE), words
        assert "-h, --help" in shown.output, words


@BOTH
def test_the_version_is_that_of_the_package(program: typer.Typer) -> None:
    shown = CliRunner().invoke(program, ["--version"])
    assert (shown.exit_code, shown.output) == (0, metadata.version("hospital-registry-worker") + "\n")


@pytest.mark.parametrize(
    ("module", "typed", "completions"),
    [
        ("worker", "hospital-worker re", ["registry"]),
        ("worker", "hospital-worker audit ve", ["verify"]),
        ("worker", "hospital-worker registry export --fo", ["--format"]),
        ("worker", "hospital-worker registry export --format geo", ["geojson"]),
        ("worker", "hospital-worker none re", ["registry"]),
        ("producers", "hospital-producer imports re", ["resume", "report"]),
        ("producers", "hospital-producer none re", ["register"]),
    ],
)
def test_a_shell_completes(module: str, typed: str, completions: list[str]) -> None:
    program = typed.partition(" ")[0]
    variables = {
        f"_{program.upper().replace('-', '_')}_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    code = f"import sys; sys.argv = [{program!r}]; from {module}.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    assert (done.stdout.split(), done.stderr) == (completions, "")


def test_every_subcommand_can_be_imported() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    listed = shown.output.partition("Commands:\n")[2].split("\n")
    names = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
    assert {"run", "queue", "dead", "audit", "demo"} <= set(names)
    for name in names:
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0, name


def test_an_unknown_command_suggests_the_closest_one() -> None:
    assert "Did you mean 'queue'?" in CliRunner().invoke(app, ["quee"]).output


def test_a_subcommand_does_not_import_the_drivers_of_another() -> None:
    code = "import sys, worker.cli; worker.cli.app(['queue', '--help'], standalone_mode=False); print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = finished.stdout.split()
    assert "redis" in imported
    assert not {"pymongo", "motor", "producers"} & set(imported)
