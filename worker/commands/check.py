"""`hospital-worker check`: whether a worker is ready for work, or whether the workers here must be restarted."""

import asyncio
import socket
from typing import Annotated

import typer

from worker.commands.support import queue_connection, run
from worker.errors import OutageError
from worker.escaping import escape
from worker.failing import EXIT_FAILED, fail
from worker.liveness import live_folder, live_workers
from worker.queue.heartbeats import STALE_AFTER_S, Heartbeat, read_heartbeats, redis_time

# Less than REDIS_TIMEOUT, so that a frozen Redis is reported within 5 s, including the start-up of this program.
_ANSWER_WITHIN_S = 2.0
# Of a large fleet that is down, the workers that were heard last.
_REASONS_SHOWN = 20


def check(
    ready: Annotated[
        bool, typer.Option("--ready", help="Is any worker ready for work? This is asked without an option.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Are the workers on this machine alive? Needs neither Redis nor MongoDB.")
    ] = False,
    here: Annotated[
        bool, typer.Option("--here", help="Count only workers on this host, for a container's health check.")
    ] = False,
) -> None:
    """Exit with 0 if a worker is ready, and with 1 if none is, with the reasons.

    A worker is ready if it has reported within the last seconds that jobs are claimed, run and completed.

    With --live: exit with 0 if this user's worker processes on this machine are alive, and with 1 if there is none,
    or one whose event loop hangs. A worker that waits for Redis or MongoDB is alive; a restart would not help.
    """
    if live and ready:
        fail("give either --live or --ready")
    if live:
        _check_live()
    else:
        _check_ready(here)


def _check_live() -> None:
    workers = live_workers()
    hung = [worker for worker in workers if not worker.is_live]
    if not workers:
        typer.echo(f"no worker process of this user runs here ({live_folder()})", err=True)
    for worker in hung:
        line = f"worker {worker.worker}: its event loop has not run for {worker.silent_s:.0f} s"
        typer.echo(escape(line), err=True)
    if hung or not workers:
        raise SystemExit(EXIT_FAILED)
    typer.echo(f"{len(workers)} live: {escape(', '.join(worker.worker for worker in workers))}")


def _check_ready(here: bool) -> None:
    async def read() -> list[tuple[Heartbeat, float]]:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S), queue_connection() as (redis, _):
                now, heartbeats = await asyncio.gather(redis_time(redis), read_heartbeats(redis))
        except TimeoutError:
            raise OutageError(f"Redis has not answered for {_ANSWER_WITHIN_S:g} s: no worker is ready") from None
        host = socket.gethostname()
        return [(worker, worker.age_s(now)) for worker in heartbeats if not here or worker.host == host]

    workers = run(read)
    ready = [worker for worker, age_s in workers if worker.ready and age_s <= STALE_AFTER_S]
    if not ready:
        typer.echo("no worker is ready", err=True)
        for worker, age_s in sorted(workers, key=lambda found: found[1])[:_REASONS_SHOWN]:
            typer.echo(escape(f"worker {worker.worker}: {worker.state(age_s)}"), err=True)
        raise SystemExit(EXIT_FAILED)
    typer.echo(f"{len(ready)} ready: {escape(', '.join(worker.worker for worker in ready))}")
    for worker in ready:
        for held in worker.held:
            typer.echo(escape(f"worker {worker.worker}: jobs of a function wait: {held}"))
