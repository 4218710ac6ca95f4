"""`hospital-worker queue --watch`: the state of the queues, again and again until Ctrl-C."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from worker.commands.queue_tables import batches_table, lines, queues_table
from worker.commands.trends import Trends
from worker.console import ResultConsole
from worker.errors import OutageError
from worker.escaping import escape, escape_json
from worker.monitoring.outbox_words import outbox_lines
from worker.queue.heartbeats import STALE_AFTER_S
from worker.queue.stats import QueueStats

# A lost cancellation is repeated: `asyncio.wait_for` of Python 3.11 can drop one.
_AGAIN_AFTER_S = 0.5

Read = Callable[[], Awaitable[QueueStats]]
Show = Callable[[QueueStats | OutageError], None]


async def watch(read: Read, interval: float, *, as_json: bool) -> None:
    """Show what `read` returns every `interval` seconds, until SIGINT or SIGTERM.

    On a terminal it is shown in place, elsewhere as one line each time, of JSON if that is asked for. An outage of
    Redis is shown and waited for, unless it is there at the start: then its `OutageError` is raised.
    """
    out = ResultConsole()
    if as_json:
        await _until_stopped(_repeat(read, interval, _print_json))
    elif out.is_terminal and not out.is_dumb_terminal:
        with Live(console=out, auto_refresh=False) as live:
            display = _Display()
            await _until_stopped(
                _repeat(read, interval, lambda found: live.update(display.of(found), refresh=True))
            )
    else:
        await _until_stopped(_repeat(read, interval, _print_line))


async def _until_stopped(watching: Awaitable[None]) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    task, stop = asyncio.ensure_future(watching), asyncio.ensure_future(stopped.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN_AFTER_S)
    if not task.cancelled():
        task.result()


async def _repeat(read: Read, interval: float, show: Show) -> None:
    show(await read())
    while True:
        await asyncio.sleep(interval)
        try:
            found: QueueStats | OutageError = await read()
        except OutageError as error:
            found = error
        show(found)


class _Display:
    """What is on the terminal: the last known state, its trends, and an outage."""

    def __init__(self) -> None:
        self._trends = Trends()
        self._state: QueueStats | None = None

    def of(self, found: QueueStats | OutageError) -> RenderableType:
        """Return what to show now."""
        parts: list[RenderableType] = []
        if isinstance(found, OutageError):
            parts.append(Text(f"{_now()} {escape(str(found))}; the last known state:", "bold red"))
        else:
            self._state = found
            self._trends.add(found, time.monotonic())
            parts.append(Text(f"{_now()}  Ctrl-C ends", "dim"))
        if self._state is not None:
            parts += [
                queues_table(self._state, self._trends.waiting()),
                Text(self._trends.ended()),
                *(Text(line) for line in lines(self._state)),
            ]
            if self._state.batches:
                parts.append(batches_table(self._state))
        return Group(*parts)


def _print_json(found: QueueStats | OutageError) -> None:
    if isinstance(found, OutageError):
        typer.echo(escape(f"{_now()} {found}"), err=True)
    else:
        typer.echo(escape_json(json.dumps({"at": _now(), **found.as_json()})))


def _print_line(found: QueueStats | OutageError) -> None:
    if isinstance(found, OutageError):
        typer.echo(escape(f"{_now()} {found}"), err=True)
        return
    ready = sum(worker.ready and age_s <= STALE_AFTER_S for worker, age_s in found.workers)
    parts = [
        f"{name}: {queue.waiting:,} waiting, {queue.deferred:,} deferred, {queue.in_flight:,} in flight, "
        f"oldest {queue.oldest_wait_s:.1f} s"
        for name, queue in found.queues.items()
    ]
    parts += [f"dead letters: {found.dead:,}", *outbox_lines(found.outbox, found.now_ms)]
    parts.append(f"workers: {ready} of {len(found.workers)} ready")
    typer.echo(escape(f"{_now()} {'; '.join(parts)}"))


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
