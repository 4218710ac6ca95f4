"""How the state of the queues is shown to a person."""

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.commands.rate_table import rate_table
from worker.escaping import escape
from worker.monitoring.outbox_words import outbox_lines
from worker.monitoring.pause_words import pause_lines
from worker.queue.heartbeats import Heartbeat
from worker.queue.stats import QueueStats

WIDTH = 80
"""The table of batches fits it; their ids are folded."""


def show(state: QueueStats, out: Console) -> None:
    """Print the state for a person."""
    out.print(queues_table(state))
    if (rates := rate_table(state)) is not None:
        out.print()
        out.print(rates, soft_wrap=False, width=min(out.width, WIDTH))
        out.print()
    for line in lines(state):
        # Text, because rich interprets `[red]` in a string as markup.
        out.print(Text(line))
    if state.batches:
        out.print()
        out.print(batches_table(state), soft_wrap=False, width=min(out.width, WIDTH))
    if state.more_batches:
        out.print(f"and {state.more_batches:,} more batches")


def queues_table(state: QueueStats, trends: Mapping[str, str] | None = None) -> Table:
    """Return the lengths of the queues as a table; `trends` has what its last column says of each queue."""
    table = Table("queue", box=None, pad_edge=False)
    for heading in ("waiting", "deferred", "in flight", "oldest waiting"):
        table.add_column(heading, justify="right")
    if trends is None:
        table.add_column("longest run", justify="right")
    else:
        table.add_column("waiting so far", no_wrap=True)
    for name, queue in state.queues.items():
        table.add_row(
            Text(escape(name)),
            f"{queue.waiting:,}",
            f"{queue.deferred:,}",
            f"{queue.in_flight:,}",
            f"{queue.oldest_wait_s:.1f} s",
            f"{queue.longest_run_s:.1f} s" if trends is None else trends[name],
        )
    return table


def lines(state: QueueStats) -> Iterator[str]:
    """Yield what is said of dead letters, outbox, pauses, workers and unknown functions, without control codes."""
    for name in state.unreadable_queues:
        yield escape(f"{name} is not shown: this user may not read it in Redis (docs/security.md)")
    yield f"dead letters: {state.dead:,}"
    yield from outbox_lines(state.outbox, state.now_ms)
    yield from pause_lines(state.pauses, state.now_ms)
    yield from _rate_lines(heartbeat for heartbeat, _ in state.workers)
    for heartbeat, age_s in state.workers:
        busy = f"{heartbeat.running} of {heartbeat.slots} slots busy"
        line = f"worker {heartbeat.worker}: {heartbeat.state(age_s)}, {busy}"
        if heartbeat.ignoring:
            line += f", {heartbeat.ignoring} with jobs that ignore cancellation"
        yield escape(line)
        if heartbeat.version:
            yield escape(f"  {_resources(heartbeat)}")
        for held in heartbeat.held:
            yield escape(f"  jobs of a function wait: {held}")
    if not state.workers:
        yield "no worker is running"
    for name in state.unknown_functions:
        yield escape(f"no worker has the function '{name}'; its jobs return to the queue every few seconds")


def _rate_lines(workers: Iterable[Heartbeat]) -> Iterator[str]:
    limits = {(queue, rate) for worker in workers for queue, rate in worker.rate_limits.items()}
    for queue, rate in sorted(limits):
        yield escape(f"{queue}: at most {rate:g} jobs start in a second (QUEUE_RATES)")


def _resources(heartbeat: Heartbeat) -> str:
    parts = [f"version {heartbeat.version}"]
    if heartbeat.loop_delay_s is not None:
        parts.append(f"event loop {heartbeat.loop_delay_s * 1000:.0f} ms late")
    for name, used, most in (
        ("MongoDB", heartbeat.mongodb_connections, heartbeat.mongodb_pool),
        ("Redis", heartbeat.redis_connections, heartbeat.redis_pool),
    ):
        if used is not None and most is not None:
            parts.append(f"{used} of {most} {name} connections")
    return ", ".join(parts)


def batches_table(state: QueueStats) -> Table:
    """Return the running batches as a table of at most `WIDTH` columns."""
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
