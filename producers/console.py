"""The output of the command line: progress and summaries for people, JSON for programs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from worker.console import ResultConsole
from worker.escaping import escape, escape_json

if TYPE_CHECKING:
    from producers.files import RejectWriter

ProgressCallback = Callable[[int], None]
"""Called with the number of the file's lines that are done."""

# The most columns or jobs that a table lists; --json lists all.
_MOST_SHOWN = 5
# What a table of two columns needs besides the texts.
_BORDERS = 7


def print_error(message: str) -> None:
    """Print one line to standard error."""
    typer.echo(f"hospital-producer: {escape('; '.join(message.splitlines()))}", err=True)


def print_note(note: str) -> None:
    """Print one line that is not an error to standard error."""
    typer.echo(f"note: {escape('; '.join(note.splitlines()))}", err=True)


def show_json(value: Mapping[str, Any], *, one_of_several: bool = False) -> None:
    """Print one JSON object to standard output; one of several on a line of its own (NDJSON)."""
    typer.echo(escape_json(orjson.dumps(value, option=0 if one_of_several else orjson.OPT_INDENT_2).decode()))


@contextmanager
def progress_bar(lines: int) -> Iterator[ProgressCallback]:
    """Show a bar of the file's lines on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("lines"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("lines", total=lines)
        yield lambda line: progress.update(task, completed=line)


def show_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print a table to standard output, for people.

    Ids and paths are to be copied, so the title and each value that is too wide for the table have a line of their
    own, which only the terminal may break.
    """
    console = ResultConsole()
    names = {name: name.replace("_", " ") for name in facts}
    room = console.width - max(map(cell_len, names.values()), default=0) - _BORDERS
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", overflow="fold")
    below = []
    for name, value in facts.items():
        text = escape(_plain(value))
        items = value if isinstance(value, list | tuple) else (text,)
        if any(cell_len(escape(str(item))) > room for item in items[:_MOST_SHOWN]):
            below.append(f"{names[name]}: {text}")
        else:
            table.add_row(names[name], Text(text))
    console.print(Text(escape(title)), soft_wrap=True)
    console.print(table)
    for line in below:
        console.print(Text(line), soft_wrap=True)


def show_rejects(rejects: "RejectWriter") -> None:
    """Print the first reasons for rejects to standard error, and the names of the rejects files."""
    if rejects.kept_earlier is not None:
        typer.echo(f"rejected rows of an earlier run are now in {escape(str(rejects.kept_earlier))}", err=True)
    for line, reasons in rejects.first:
        typer.echo(f"line {line}: {escape(reasons)}", err=True)
    if rejects.count:
        typer.echo(f"rejected rows are in {escape(str(rejects.path))}", err=True)


def _plain(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        shown = ", ".join(map(str, value[:_MOST_SHOWN]))
        return f"{shown} and {len(value) - _MOST_SHOWN} more" if len(value) > _MOST_SHOWN else shown
    return str(value)
