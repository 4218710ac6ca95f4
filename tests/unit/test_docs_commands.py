"""The commands, options and words that the documentation shows are those of the code."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from producers.cli import app as producer_app
from worker.cli import app as worker_app
from worker.contract import RecordStatus

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
APPS: dict[str, typer.Typer] = {"hospital-producer": producer_app, "hospital-worker": worker_app}
# What follows the command on its line.
_SHELL = frozenset((">", "|", ";", "&", "&&"))


def commands() -> list[str]:
    """Return the lines that call a command of this project in the shell blocks of all pages."""
    found: dict[str, None] = {}
    # An error begins with the name, too, and a colon.
    names = tuple(f"{app} " for app in APPS)
    for page in PAGES:
        for block in re.findall(
            r"^```(?:sh|console)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        ):
            lines = (line.removeprefix("$ ") for line in block.splitlines())
            found.update(dict.fromkeys(line for line in lines if line.startswith(names)))
    return list(found)


def words(line: str) -> list[str]:
    """Return the words of a command without its comment and what the shell does with its output."""
    split = shlex.split(re.sub(r"\$\(.*?\)", "NAME", line), comments=True)
    split = [word.removesuffix(";") for word in split]
    end = next((index for index, word in enumerate(split) if word in _SHELL or word == "echo"), len(split))
    return split[:end]


@pytest.mark.parametrize("line", commands())
def test_every_command_that_a_page_shows_is_accepted(line: str) -> None:
    name, *rest = words(line)
    command: Any = get_command(APPS[name])
    context = command.make_context(name, rest)
    while isinstance(command, TyperGroup):
        if command.invoke_without_command and (not rest or rest[0].startswith("-")):
            # `dashboard` is a command as well, with options of its own.
            break
        name, *rest = rest
        command = command.get_command(context, name)
        context = command.make_context(name, rest, parent=context)
    assert context.args == []


@pytest.mark.parametrize("page", ["docs/files.md", "docs/producers.md", "docs/protocol.md"])
def test_every_fate_of_a_row_is_explained(page: str) -> None:
    cells = re.findall(r"^\| (`[^|]*) \|", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    explained = {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}
    assert set(get_args(RecordStatus)) - explained == set()


def test_the_rights_of_the_worker_are_those_of_its_role() -> None:
    script = (ROOT / "deploy" / "mongo-init.js").read_text("utf-8")
    literal = re.search(r"const ACTIONS = (\{.*?\});", script, re.DOTALL)
    assert literal
    granted = {name: set(rights) - {"listIndexes"} for name, rights in json.loads(literal[1]).items() if name}
    section = (ROOT / "docs" / "security.md").read_text("utf-8").split("### MongoDB\n")[1].split("\n###")[0]
    rows = re.findall(r"^\| (`.*`) \| (`.*`) \|$", section, re.MULTILINE)
    documented = {
        name: set(re.findall(r"`(\w+)`", given)) for names, given in rows for name in re.findall(r"`(\w+)`", names)
    }
    assert documented == {name: rights for name, rights in granted.items() if rights}


def test_the_demo_takes_what_its_table_lists() -> None:
    section = (ROOT / "docs" / "files.md").read_text("utf-8").split("## Load a file in the demo")[1]
    listed = set(re.findall(r"\b([A-Z]+)=", section))
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndemo:")[1].split("\n\n")[0]
    taken = set(re.findall(r"\$\$\{?([A-Z]+)|\$\(([A-Z]+)\)", recipe))
    assert listed == {name for pair in taken for name in pair if name} - {"BIN", "STAMP", "IFS"}
