"""`hospital-worker jobs list`: the jobs that have ended, from the history."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from worker.commands.instants import instant_option
from worker.commands.registry_connection import registry_connection
from worker.commands.support import console, queue_connection, run
from worker.contract.job_ends import EndFilter, JobEnd, PastEnd
from worker.escaping import escape, escape_json
from worker.failing import fail
from worker.monitoring.history import HistoryPage, search_history
from worker.monitoring.shown_facts import Instant
from worker.shared_options import takes

_WIDTH = 80
_MOST_LISTED = 10_000
_INSTANTS = ("enqueued_ms", "started_ms", "ended_ms")


def _filter(
    *,
    job: Annotated[str | None, typer.Option(help="Only the job of this id.")] = None,
    function: Annotated[str | None, typer.Option(help="Only jobs of this function.")] = None,
    hospital: Annotated[str | None, typer.Option(help="Only jobs about the hospital of this id.")] = None,
    outcome: Annotated[
        Literal["complete", "dead", "aborted"] | None, typer.Option(help="Only jobs that ended so.")
    ] = None,
    error: Annotated[str | None, typer.Option(help="Only dead letters of this error class.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only jobs of this batch, such as an import.")] = None,
    since: Annotated[datetime | None, instant_option("Only jobs that ended then or later; UTC.")] = None,
    until: Annotated[datetime | None, instant_option("Only jobs that ended before then; UTC.")] = None,
) -> EndFilter:
    """Return what these options select."""
    return EndFilter(
        job_id=job,
        function=function,
        hospital_id=hospital,
        outcome=outcome,
        error=error,
        batch=batch,
        since_ms=_milliseconds(since),
        until_ms=_milliseconds(until),
    )


def _milliseconds(instant: datetime | None) -> int | None:
    return None if instant is None else round(instant.timestamp() * 1000)


@takes(_filter, argument="wanted")
def list_ended(
    wanted: EndFilter,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="Show at most so many.")] = 20,
    after: Annotated[
        str, typer.Option(metavar="CURSOR", help="Go on after this one, as the end of the list before says.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List the jobs that have ended, the latest first, for as long as WORKER_HISTORY_DAYS says.

    A job that was dead-lettered and retried is listed once for each of its ends.
    """

    async def read() -> HistoryPage:
        async with queue_connection() as (redis, settings):
            if not settings.worker_history_days:
                fail("no history of ended jobs is kept, because WORKER_HISTORY_DAYS is 0")
            async with registry_connection() as mongo:
                return await search_history(redis, mongo, wanted, limit=limit, after=after)

    page = run(read)
    if as_json:
        shown = {"jobs": [_as_json(past) for past in page.found], "more": page.more}
        typer.echo(escape_json(json.dumps(shown, indent=2)))
    elif not page.found:
        typer.echo("no ended jobs")
    else:
        _print(page.found)
        if page.more:
            typer.echo(f"more match; the next ones: --after {escape(page.found[-1].cursor)}")


def _as_json(past: PastEnd) -> dict[str, Any]:
    end = past.end._asdict()
    instants = {f"{name.removesuffix('_ms')}_at": Instant(end.pop(name)).json() for name in _INSTANTS}
    return {**end, **instants, "worker": past.worker, "cursor": past.cursor}


def _print(found: Sequence[PastEnd]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("ended (UTC)", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("job", overflow="fold")
    table.add_column("tries", justify="right", no_wrap=True)
    table.add_column("with", overflow="fold")
    for past in found:
        end = past.end
        cells = _ended_at(end), end.outcome, end.job_id, str(end.tries), end.status or end.error
        table.add_row(*(Text(escape(cell)) for cell in cells))
    out = console()
    out.print(table, soft_wrap=False, width=min(out.width, _WIDTH))


def _ended_at(end: JobEnd) -> str:
    return str(Instant(end.ended_ms).json())[:19].replace("T", " ")
