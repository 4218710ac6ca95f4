"""`hospital-worker audit list` and `audit export`: entries of the audit log by time and actor."""

from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer
from rich.table import Table
from rich.text import Text

from worker.commands.instants import instant_option
from worker.commands.registry_connection import registry_connection
from worker.commands.streaming import Form, csv_cell, csv_row, json_line, output, write_all
from worker.commands.support import console, run
from worker.escaping import escape, escape_json
from worker.failing import EXIT_FAILED, fail
from worker.mongo.act_filter import ActFilter
from worker.mongo.audit.canonical_form import canonical
from worker.mongo.audit.entries import find_entries, newest_entries
from worker.mongo.client import Document
from worker.shared_options import takes

_WIDTH = 80
_MOST_LISTED = 10_000
_COLUMNS = (
    "at", "event", "hospital_id", "seq", "actor", "reason", "before", "after", "job_id", "_id", "prev_hash", "hash",
)  # fmt: skip


def _filter(
    *,
    since: Annotated[datetime | None, instant_option("Only entries from then on; UTC.")] = None,
    until: Annotated[datetime | None, instant_option("Only entries before then; UTC.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.")] = None,
) -> ActFilter:
    """Return what these options select."""
    return ActFilter(since, until, actor)


@takes(_filter, argument="wanted")
def list_entries(
    wanted: ActFilter,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="Show at most so many entries.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List the latest entries of the audit log, the newest first; with --json as a whole."""

    async def read() -> list[Document]:
        async with registry_connection() as mongo:
            # One more shows whether there are more.
            return await newest_entries(mongo, wanted, limit + 1)

    found = run(read)
    more = len(found) > limit
    if as_json:
        typer.echo(json_line({"entries": found[:limit], "more": more}, orjson.OPT_INDENT_2))
        return
    if not found:
        typer.echo("no entries")
        return
    out = console()
    out.print(_table(found[:limit]), soft_wrap=False, width=min(out.width, _WIDTH))
    if more:
        typer.echo(f"more than {limit:,} match: give --limit, --since or --until, or use `audit export`")


@takes(_filter, argument="wanted")
def export(
    wanted: ActFilter,
    export_format: Annotated[
        Literal["ndjson", "json", "csv"], typer.Option("--format", help="The form of the output.")
    ] = "ndjson",
    file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="A new file; default: standard output.")
    ] = None,
) -> None:
    """Export entries chain by chain, in the order of each, in whatever number.

    As ndjson and json, an entry has the form that its hash is made of, as `audit show --json` prints it.

    FILE appears once it is whole, and an existing file is never overwritten. Exit code 1: an entry has a value that
    no entry can have; such a value is exported as text.
    """
    lines = _CanonicalLines()
    forms = {
        "ndjson": Form(lambda entry: lines.of(entry) + "\n"),
        "json": Form(lines.of, before='{"entries":[\n', between=",\n", after="\n]}\n"),
        "csv": Form(_csv_line, before=csv_row(_COLUMNS)),
    }

    async def write() -> int:
        async with registry_connection() as mongo:
            with output(file) as target:
                async with aclosing(find_entries(mongo, wanted)) as entries:
                    return await write_all(entries, forms[export_format], target)

    typer.echo(f"{run(write):,} exported", err=True)
    if lines.without_form:
        fail(
            f"entries with a value that no entry can have: {lines.without_form:,}; "
            "run `hospital-worker audit verify --all`",
            EXIT_FAILED,
        )


class _CanonicalLines:
    """Entries as `audit show --json` prints them; `without_form` counts those that have no canonical form."""

    def __init__(self) -> None:
        self.without_form = 0

    def of(self, entry: Document) -> str:
        """Return an entry as a line of JSON."""
        try:
            return escape_json(canonical(entry))
        except (TypeError, ValueError):
            # Another program has changed it. An export of the log must not end there.
            self.without_form += 1
            return json_line(entry)


def _csv_line(entry: Document) -> str:
    return csv_row(csv_cell(entry.get(column)) for column in _COLUMNS)


def _table(entries: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("at", no_wrap=True)
    table.add_column("event", no_wrap=True)
    table.add_column("hospital", overflow="fold")
    table.add_column("actor", overflow="fold")
    for entry in entries:
        at = entry.get("at")
        # To the second; `audit show` has the rest.
        shown_at = f"{at:%Y-%m-%dT%H:%M:%SZ}" if isinstance(at, datetime) else "?"
        cells = shown_at, *(str(entry.get(name, "?")) for name in ("event", "hospital_id", "actor"))
        table.add_row(*(Text(escape(cell)) for cell in cells))
    return table
