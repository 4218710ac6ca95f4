"""`hospital-worker check`: whether a worker is ready for work, or whether the workers here must be restarted."""

import asyncio
import json
import socket
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from worker.commands.support import queue_connection, run
from worker.errors import OutageError, RegistryError
from worker.escaping import escape, escape_json
from worker.failing import EXIT_FAILED, fail
from worker.liveness import LiveWorker, live_folder, live_workers
from worker.monitoring.outbox_words import outbox_lines
from worker.monitoring.pause_words import pause_lines
from worker.queue.heartbeats import (
    STALE_AFTER_S,
    Heartbeat,
    OutboxState,
    outbox_state,
    read_heartbeats,
    redis_time,
)
from worker.queue.pauses import Pause, read_pauses
from worker.redis.client import registry_mark
from worker.settings import load_settings

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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Exit with 0 if a worker is ready, and with 1 if none is, with the reasons.

    A worker is ready if it has reported within the last seconds that jobs are claimed, run and completed.

    With --live: exit with 0 if this user's worker processes on this machine are alive, and with 1 if there is none,
    or one whose event loop hangs. A worker that waits for Redis or MongoDB is alive; a restart would not help.
    """
    if live and ready:
        fail("give either --live or --ready")
    if live:
        _check_live(as_json=as_json)
    else:
        _check_ready(here, as_json=as_json)


def _check_live(*, as_json: bool) -> None:
    workers = _own_workers()
    hung = [worker for worker in workers if not worker.is_live]
    is_live = bool(workers) and not hung
    if as_json:
        _print_json({"live": is_live, "workers": [{**asdict(it), "live": it.is_live} for it in workers]})
    elif not is_live:
        if not workers:
            others = len(live_workers())
            elsewhere = f"; {others} of another REDIS_URL do" if others else ""
            typer.echo(f"no worker process of this user runs here ({live_folder()}){elsewhere}", err=True)
        for worker in hung:
            line = f"worker {worker.worker}: its event loop has not run for {worker.silent_s:.0f} s"
            typer.echo(escape(line), err=True)
    else:
        typer.echo(f"{len(workers)} live: {escape(', '.join(worker.worker for worker in workers))}")
    if not is_live:
        raise SystemExit(EXIT_FAILED)


def _own_workers() -> list[LiveWorker]:
    """Return the workers here but those that are known to be of another registry."""
    try:
        own = registry_mark(load_settings())
    except RegistryError:
        # A wrong setting is not a reason to restart a worker.
        return live_workers()
    return [worker for worker in live_workers() if worker.registry in ("", own)]


@dataclass(frozen=True, slots=True)
class _Fleet:
    """The workers that are asked about, each with the age of its heartbeat in seconds, and what holds jobs up."""

    workers: list[tuple[Heartbeat, float]]
    outbox: OutboxState | None
    pauses: list[Pause]
    now_ms: float

    @property
    def ready(self) -> list[Heartbeat]:
        return [worker for worker, age_s in self.workers if worker.ready and age_s <= STALE_AFTER_S]


def _check_ready(here: bool, *, as_json: bool) -> None:
    fleet = run(lambda: _read_fleet(here))
    if as_json:
        _print_json(
            {
                "ready": [worker.worker for worker in fleet.ready],
                "workers": [
                    {**worker.model_dump(mode="json"), "age_s": round(age_s, 1), "state": worker.state(age_s)}
                    for worker, age_s in fleet.workers
                ],
                "paused": [asdict(pause) for pause in fleet.pauses],
                "outbox": fleet.outbox.as_json(fleet.now_ms) if fleet.outbox is not None else None,
            }
        )
    elif fleet.ready:
        _print_ready(fleet)
    else:
        typer.echo("no worker is ready", err=True)
        for worker, age_s in sorted(fleet.workers, key=lambda found: found[1])[:_REASONS_SHOWN]:
            typer.echo(escape(f"worker {worker.worker}: {worker.state(age_s)}"), err=True)
    if not fleet.ready:
        raise SystemExit(EXIT_FAILED)


async def _read_fleet(here: bool) -> _Fleet:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S), queue_connection() as (redis, _):
            now, heartbeats, pauses = await asyncio.gather(
                redis_time(redis), read_heartbeats(redis), read_pauses(redis)
            )
    except TimeoutError:
        raise OutageError(f"Redis has not answered for {_ANSWER_WITHIN_S:g} s: no worker is ready") from None
    host = socket.gethostname()
    fleet = [(worker, worker.age_s(now)) for worker in heartbeats]
    workers = [(worker, age_s) for worker, age_s in fleet if not here or worker.host == host]
    return _Fleet(workers, outbox_state(fleet), pauses, now.timestamp() * 1000)


def _print_ready(fleet: _Fleet) -> None:
    typer.echo(f"{len(fleet.ready)} ready: {escape(', '.join(worker.worker for worker in fleet.ready))}")
    for worker in fleet.ready:
        for held in worker.held:
            typer.echo(escape(f"worker {worker.worker}: jobs of a function wait: {held}"))
    for line in (*outbox_lines(fleet.outbox, fleet.now_ms), *pause_lines(fleet.pauses, fleet.now_ms)):
        typer.echo(line)


def _print_json(shown: dict[str, Any]) -> None:
    typer.echo(escape_json(json.dumps(shown, indent=2)))
