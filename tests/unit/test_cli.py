import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from producers.cli import app as producer_app
from producers.cli import main as producer_main
from worker.cli import app, main

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
        ("worker", "hospital-worker reg", ["registry"]),
        ("worker", "hospital-worker audit ve", ["verify"]),
        ("worker", "hospital-worker registry export --fo", ["--format"]),
        ("worker", "hospital-worker registry export --format geo", ["geojson"]),
        ("worker", "hospital-worker none reg", ["registry"]),
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("quee", "No such command 'quee'. Did you mean 'queue'? (try --help)"),
        ("audit shw", "No such command 'shw'. Did you mean 'show'? (try --help)"),
        ("audit show", "Missing argument 'HOSPITAL'. (try --help)"),
        ("queue --zork", "No such option: --zork (try --help)"),
        (
            "registry list --updated-since soon",
            "give a date or an instant, such as 2025-06-30 or 2025-06-30T14:00Z",
        ),
        ("pause arq:queue --actor=", "--actor: give a name (try --help)"),
        (f"jobs retry x --reason={'x' * 1_001}", "--actor and --reason may have 1,000 characters (try --help)"),
        ("dead retry", "give job ids, an option that selects, such as --function or --error, or --all"),
    ],
)
def test_an_error_in_the_use_of_a_command_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["hospital-worker", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert shown.err.startswith("hospital-worker: ")
    assert message in shown.err


@pytest.mark.parametrize(
    ("run", "words"), [(main, []), (main, ["audit"]), (main, ["registry"]), (producer_main, ["imports"])]
)
def test_a_group_without_a_subcommand_prints_its_help(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[], None],
    words: list[str],
) -> None:
    # What the end of hospital-producer does would reach the other tests.
    monkeypatch.setattr("producers.ctrl_c.ignore", lambda: None)
    monkeypatch.setattr(sys, "argv", ["program", *words])
    with pytest.raises(SystemExit) as ended:
        run()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    assert (shown.err.startswith("Usage: "), shown.err.count("Usage: ")) == (True, 1)
    assert "\nCommands:\n" in shown.err


def test_an_unknown_command_suggests_the_closest_one() -> None:
    assert "Did you mean 'queue'?" in CliRunner().invoke(app, ["quee"]).output


def test_a_subcommand_does_not_import_the_drivers_of_another() -> None:
    code = "import sys, worker.cli; worker.cli.app(['queue', '--help'], standalone_mode=False); print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = finished.stdout.split()
    assert "redis" in imported
    assert not {"pymongo", "motor", "producers"} & set(imported)


def test_settings_are_json_on_request() -> None:
    shown = json.loads(CliRunner().invoke(app, ["settings", "--json"]).stdout)["settings"]
    assert {"variable": "WORKER_MAX_JOBS", "default": "300"}.items() <= shown_of(shown, "WORKER_MAX_JOBS").items()
    assert shown_of(shown, "WORKER_DEAD_LETTER_FOLDER")["default"] == ""


def shown_of(rows: list[dict[str, str]], variable: str) -> dict[str, str]:
    return next(row for row in rows if row["variable"] == variable)
