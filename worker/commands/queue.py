"""`hospital-worker queue`: the length of the queues, dead letters, workers and running batches."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.commands.support import console, queue_connection, run
from worker.escaping import escape, escape_json
from worker.queue.stats import QueueStats, read_stats

# The table of batches fits it; their ids are folded.
_WIDTH = 80


def queue(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Show the length of each queue, dead letters, workers and running batches.

    The length is shown as waiting, deferred and in-flight jobs.
    """

    async def read() -> QueueStats:
        async with queue_connection() as (redis, settings):
            return await read_stats(redis, tuple(settings.worker_queues))

    state = run(read)
    if as_json:
        typer.echo(escape_json(json.dumps(state.as_json(), indent=2)))
    else:
        show(state, console())


def show(state: QueueStats, out: Console) -> None:
    """Print the state for a person."""
    queues = Table("queue", box=None, pad_edge=False)
    for heading in ("waiting", "deferred", "in flight", "oldest waiting"):
        queues.add_column(heading, justify="right")
    for name, queue in state.queues.items():
        queues.add_row(
            Text(escape(name)),
            f"{queue.waiting:,}",
            f"{queue.deferred:,}",
            f"{queue.in_flight:,}",
            f"{queue.oldest_wait_s:.1f} s",
        )
    out.print(queues)
    out.print(f"dead letters: {state.dead:,}")
    for heartbeat, age_s in state.workers:
        busy = f"{heartbeat.running} of {heartbeat.slots} slots busy"
        line = f"worker {heartbeat.worker}: {heartbeat.state(age_s)}, {busy}"
        if heartbeat.ignoring:
            line += f", {heartbeat.ignoring} with jobs that ignore cancellation"
        # Text, because rich interprets `[red]` in a string as markup.
        out.print(Text(escape(line)))
        for held in heartbeat.held:
            out.print(Text(escape(f"  jobs of a function wait: {held}")))
    if not state.workers:
        out.print("no worker is running")
    for name in state.unknown_functions:
        line = f"no worker has the function '{name}'; its jobs return to the queue every few seconds"
        out.print(Text(escape(line)))
    if state.batches:
        out.print()
        out.print(_batches(state), soft_wrap=False, width=min(out.width, _WIDTH))
    if state.more_batches:
        out.print(f"and {state.more_batches:,} more batches")


def _batches(state: QueueStats) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("batch", overflow="fold")
    table.add_column("state", no_wrap=True)
    for heading in ("jobs", "done"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("outcomes", min_width=15)
    for batch in state.batches:
        outcomes = "\n".join(f"{outcome} {number:,}" for outcome, number in batch.outcomes.items())
        table.add_row(Text(escape(batch.batch_id)), batch.state, f"{batch.total:,}", f"{batch.ended:,}", outcomes)
    return table
