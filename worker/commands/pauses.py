"""`hospital-worker pause` and `resume`: which queues and functions no worker starts jobs of."""

from collections.abc import Iterable
from typing import Annotated

import typer

from worker.acting_options import acting_options
from worker.commands.support import queue_connection, run
from worker.contract.acting import Acting
from worker.escaping import escape
from worker.failing import EXIT_FAILED, fail
from worker.monitoring.pause_words import paused_since
from worker.queue.heartbeats import STALE_AFTER_S, Heartbeat, read_heartbeats, redis_time
from worker.queue.pauses import Pause, known_names, now_ms, read_pauses
from worker.queue.pauses import pause as store_pauses
from worker.queue.pauses import resume as remove_pauses
from worker.shared_options import takes

Queues = Annotated[list[str] | None, typer.Argument(metavar="QUEUE", help="Such as arq:queue:bulk.")]
Functions = Annotated[
    list[str] | None, typer.Option("--function", metavar="NAME", help="A function; may be repeated.")
]


@takes(acting_options, argument="acting")
def pause(acting: Acting, queues: Queues = None, functions: Functions = None) -> None:
    """Stop starting jobs of a queue or of a function, until `resume`.

    Jobs that run finish, and further ones may be enqueued. The pause holds for all workers within a second, also
    for those that start later. Exit code 0: paused, now or before.
    """
    names = _named(queues, functions)

    async def store() -> list[str]:
        async with queue_connection() as (redis, settings):
            at_ms, before = await now_ms(redis), {it.field: it for it in await read_pauses(redis)}
            wanted = [Pause(it.kind, it.name, at_ms, acting.actor, acting.reason) for it in names]
            new = [it for it in wanted if it.field not in before]
            for kind in ("queue", "function"):
                named = [it for it in new if it.kind == kind]
                if named:
                    await store_pauses(redis, named, acting.on("pause", kind, [it.name for it in named]))
            for it in wanted:
                earlier = before.get(it.field)
                word = "paused" if earlier is None else f"{paused_since(earlier, at_ms)} already"
                typer.echo(escape(f"{it.kind} {it.name}: {word}"))
            now = await redis_time(redis)
            alive = [it for it in await read_heartbeats(redis) if it.age_s(now) <= STALE_AFTER_S]
            return _notes(new, alive, settings.worker_queues)

    for note in run(store):
        typer.echo(escape(note), err=True)


@takes(acting_options, argument="acting")
def resume(acting: Acting, queues: Queues = None, functions: Functions = None) -> None:
    """Let jobs of a paused queue or function start again.

    Those of a queue start within a second. Those of a function return to their queue over some time, 250 a second
    and after 5 minutes at the latest. Exit code 0: resumed; 1: one of them was not paused.
    """
    names = _named(queues, functions)

    async def remove() -> bool:
        async with queue_connection() as (redis, _):
            before = {it.field: it for it in await read_pauses(redis)}
            paused = [before[it.field] for it in names if it.field in before]
            for kind in ("queue", "function"):
                named = [it for it in paused if it.kind == kind]
                if named:
                    await remove_pauses(redis, named, acting.on("resume", kind, [it.name for it in named]))
            at_ms = await now_ms(redis)
            for it in names:
                earlier = before.get(it.field)
                said = "was not paused" if earlier is None else f"resumed; it was {paused_since(earlier, at_ms)}"
                typer.echo(escape(f"{it.kind} {it.name}: {said}"), err=earlier is None)
            return len(paused) == len(names)

    if not run(remove):
        raise SystemExit(EXIT_FAILED)


def _named(queues: list[str] | None, functions: list[str] | None) -> list[Pause]:
    names = [Pause("queue", name) for name in dict.fromkeys(queues or [])]
    names += [Pause("function", name) for name in dict.fromkeys(functions or [])]
    if not names:
        fail("name a queue, or a function with --function; `hospital-worker queue` shows both and what is paused")
    return names


def _notes(new: Iterable[Pause], alive: list[Heartbeat], queues: Iterable[str]) -> list[str]:
    """Return what an operator should know about pauses that were just stored."""
    known = known_names(queues, alive)
    notes = [
        f"note: no worker that runs now has the {it.kind} {it.name}; check its name"
        for it in new
        if it.name not in known[it.kind]
    ]
    old = [worker.worker for worker in alive if worker.paused is None]
    if old:
        notes.append(f"note: these workers are of an earlier version and ignore it: {', '.join(old)}")
    return notes
