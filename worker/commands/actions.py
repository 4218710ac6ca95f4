"""`hospital-worker actions`: what operators did."""

from datetime import datetime
from functools import partial
from typing import Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from worker.commands.instants import instant_option
from worker.commands.registry_connection import registry_connection
from worker.commands.streaming import json_line
from worker.commands.support import console, queue_connection, run
from worker.errors import RegistryError
from worker.escaping import escape
from worker.help_group import HelpGroup
from worker.mongo.act_filter import ActFilter
from worker.mongo.actions import newest_actions, store_actions
from worker.mongo.client import Document, MongoHandle
from worker.queue.actions import move_actions

_WIDTH = 80
_MOST_LISTED = 10_000

app = typer.Typer(cls=HelpGroup, no_args_is_help=True, help="List what operators did: paused, aborted, retried, …")


@app.callback()
def actions() -> None:
    """List what operators did to the queues, jobs and dead letters."""


@app.command("list")
def list_actions(
    *,
    since: Annotated[datetime | None, instant_option("Only actions from then on; UTC.")] = None,
    until: Annotated[datetime | None, instant_option("Only actions before then; UTC.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="Show at most so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List the latest acts of operators, the newest first; with --json as a whole."""

    async def read() -> list[Document]:
        async with registry_connection() as mongo:
            await _move(mongo)
            # One more shows whether there are more.
            return await newest_actions(mongo, ActFilter(since, until, actor), limit + 1)

    found = run(read)
    more = len(found) > limit
    if as_json:
        typer.echo(json_line({"actions": found[:limit], "more": more}, orjson.OPT_INDENT_2))
        return
    if not found:
        typer.echo("no actions")
        return
    out = console()
    out.print(_table(found[:limit]), soft_wrap=False, width=min(out.width, _WIDTH))
    if more:
        typer.echo(f"more than {limit:,} match: give --limit, --since or --until")


async def _move(mongo: MongoHandle) -> None:
    """Record what still waits in Redis."""
    try:
        async with queue_connection() as (redis, _):
            await move_actions(redis, partial(store_actions, mongo))
    except RegistryError as error:
        typer.echo(escape(f"note: acts that are only in Redis are not listed: {error}"), err=True)


def _table(found: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("at", no_wrap=True)
    table.add_column("actor", overflow="fold", max_width=20)
    table.add_column("act", no_wrap=True)
    table.add_column("on", overflow="fold")
    for action in found:
        at = action.get("at")
        shown_at = f"{at:%Y-%m-%dT%H:%M:%SZ}" if isinstance(at, datetime) else "?"
        cells = shown_at, str(action.get("actor", "?")), str(action.get("act", "?")), _what(action)
        table.add_row(*(Text(escape(cell)) for cell in cells))
    return table


def _what(action: Document) -> str:
    """Return in one line what was acted on, with which result and why."""
    ids, count = action.get("ids") or [], action.get("count")
    selection = action.get("selection") or {}
    chosen = ", ".join(f"{name} {value}" for name, value in selection.items()) or ", ".join(map(str, ids[:3]))
    said = f"{action.get('target', '?')} {chosen}".strip()
    if isinstance(count, int) and (count != 1 or not ids):
        said += f" ({count:,})"
    result = action.get("result")
    if result not in ("done", None):
        said += f", {result}"
    return f"{said}: {action['reason']}" if action.get("reason") else said
