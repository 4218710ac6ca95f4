"""`hospital-worker queue` and `hospital-worker check`: how long the queue is, and whether anybody works on it."""

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

# Less than REDIS_TIMEOUT, so that a frozen Redis shows within 5 s, the start of this program included.
_ANSWER_WITHIN_S = 2.0


def queue(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Show the queue's length: waiting, deferred, in flight and dead, by queue, and the workers."""

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
        bool, typer.Option("--here", help="Only workers of this host, as a container's check needs.")
    ] = False,
) -> None:
    """Exit 0 if a worker has said within the last seconds that it takes jobs, and 1 if none has."""

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
    for heading in ("waiting", "deferred", "in flight", "oldest waits"):
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
        silent = f"silent for {age_s:.0f} s" if age_s > STALE_AFTER_S else ""
        word = silent or ("ready" if heartbeat.ready else f"not ready: {heartbeat.why_not}")
        told = f"worker {heartbeat.worker}: {word}, {heartbeat.running} of {heartbeat.slots} slots busy"
        # Text, because rich takes `[red]` in a string for markup.
        out.print(Text(escape(told)))
    if not state.workers:
        out.print("no worker is running")
    for name in state.unknown_functions:
        told = f"no worker knows the function '{name}'; its jobs are put back every few seconds"
        out.print(Text(escape(told)))
