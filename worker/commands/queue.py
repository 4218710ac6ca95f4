"""`hospital-worker queue`: the length of the queues, dead letters, the outbox, workers and running batches."""

import json
from typing import Annotated

import typer

from worker.commands.queue_tables import show
from worker.commands.queue_watch import watch
from worker.commands.support import console, queue_connection, run
from worker.escaping import escape_json
from worker.failing import fail
from worker.queue.stats import QueueStats, read_stats

_INTERVAL_S = 2.0


def queue(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    watched: Annotated[
        bool, typer.Option("--watch", help="Go on until Ctrl-C; without a terminal with a line each time.")
    ] = False,
    interval: Annotated[
        float | None,
        typer.Option(min=0.1, help=f"Seconds between two looks of --watch.  [default: {_INTERVAL_S:g}]"),
    ] = None,
) -> None:
    """Show the length of each queue, dead letters, the outbox, workers and running batches.

    The length is shown as waiting, deferred and in-flight jobs.
    """
    if watched:
        run(lambda: watch(_read, _INTERVAL_S if interval is None else interval, as_json=as_json))
        return
    if interval is not None:
        fail("--interval needs --watch")
    state = run(_read)
    if as_json:
        typer.echo(escape_json(json.dumps(state.as_json(), indent=2)))
    else:
        show(state, console())


async def _read() -> QueueStats:
    async with queue_connection() as (redis, settings):
        return await read_stats(redis, tuple(settings.worker_queues))
