"""`hospital-worker queue` and `hospital-worker check`: the length of the queues, and whether a worker is ready."""

import asyncio
import json
import socket
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from worker.commands.support import EXIT_FAILED, console, queue_connection, run
from worker.errors import OutageError
from worker.escaping import escape, escape_json
from worker.queue.heartbeats import STALE_AFTER_S, ready_workers
from worker.queue.stats import QueueStats, read_stats

# Less than REDIS_TIMEOUT, so that a frozen Redis is reported within 5 s, including the start-up of this program.
_ANSWER_WITHIN_S = 2.0


def queue(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Show the length of each queue, dead letters and workers.

    The length is shown as waiting, deferred and in-flight jobs.
    """

    async def read() -> QueueStats:
        async with queue_connection() as (redis, settings):
            return await read_stats(redis, tuple(settings.worker_queues))

    state = run(read)
    if as_json:
        typer.echo(escape_json(json.dumps(state.as_json(), indent=2)))
    else:
        _show(state)


def check(
    here: Annotated[
        bool, typer.Option("--here", help="Count only workers on this host, for a container's health check.")
    ] = False,
) -> None:
    """Exit with 0 if a worker is ready, and with 1 if none is.

    A worker is ready if it has reported within the last seconds that it takes jobs.
    """

    async def ready() -> list[str]:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S), queue_connection() as (redis, _):
                found = await ready_workers(redis)
        except TimeoutError:
            raise OutageError(f"Redis has not answered for {_ANSWER_WITHIN_S:g} s: no worker is ready") from None
        return [worker.worker for worker in found if not here or worker.host == socket.gethostname()]

    workers = run(ready)
    if not workers:
        typer.echo("no worker is ready", err=True)
        raise SystemExit(EXIT_FAILED)
    typer.echo(f"{len(workers)} ready: {escape(', '.join(workers))}")


def _show(state: QueueStats) -> None:
    out = console()
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
        stale = f"no heartbeat for {age_s:.0f} s" if age_s > STALE_AFTER_S else ""
        state_text = stale or ("ready" if heartbeat.ready else f"not ready: {heartbeat.why_not}")
        line = f"worker {heartbeat.worker}: {state_text}, {heartbeat.running} of {heartbeat.slots} slots busy"
        if heartbeat.ignoring:
            line += f", {heartbeat.ignoring} with jobs that ignore cancellation"
        # Text, because rich interprets `[red]` in a string as markup.
        out.print(Text(escape(line)))
    if not state.workers:
        out.print("no worker is running")
    for name in state.unknown_functions:
        line = f"no worker has the function '{name}'; its jobs return to the queue every few seconds"
        out.print(Text(escape(line)))
