"""`hospital-worker dead retry` and `dead discard`: previewed, confirmed, at a rate, and recorded."""

import sys
from dataclasses import dataclass
from typing import Annotated

import typer
from redis.asyncio import Redis
from rich.console import Console

from worker.acting_options import acting_options
from worker.commands.dead_options import filter_options
from worker.commands.dead_running import run_operation
from worker.commands.dead_tables import letters_table
from worker.commands.support import queue_connection, run, shown_text
from worker.contract.acting import Acting
from worker.escaping import escape
from worker.failing import EXIT_FAILED, fail
from worker.queue.dead_letter_filter import DeadLetterFilter
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore
from worker.queue.dead_operations import DeadOperations, OperationAct, Plan, new_operation_id
from worker.queue.dead_preview import Preview
from worker.shared_options import takes

JobIds = Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Job ids.")]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Rate = Annotated[
    float | None, typer.Option("--rate", "--per-second", min=0.01, help="At most so many dead letters per second.")
]


@takes(filter_options, argument="wanted")
@takes(acting_options, argument="acting")
def retry(
    wanted: DeadLetterFilter,
    acting: Acting,
    job_ids: JobIds = None,
    everything: Everything = False,
    rate: Rate = None,
    yes: Yes = False,
) -> None:
    """Retry dead letters: return them to their queues, each with a full retry budget.

    Shows how many there are and the first of them, and asks, unless --yes is given. With --rate it takes its time.
    It can be watched, stopped and continued with `dead operations`. A job that dies meanwhile is left out.

    Exit code 0: done; 1: stopped before the end, or none could be retried; 2: nothing was done.
    """
    _operate("retry", _Wanted(wanted, job_ids, everything), acting, rate, yes=yes)


@takes(filter_options, argument="wanted")
@takes(acting_options, argument="acting")
def discard(
    wanted: DeadLetterFilter,
    acting: Acting,
    job_ids: JobIds = None,
    everything: Everything = False,
    rate: Rate = None,
    yes: Yes = False,
) -> None:
    """Delete dead letters permanently. Export them first if they may be needed later.

    Shows how many there are and the first of them, and asks, unless --yes is given. With --rate it takes its time.
    It can be watched, stopped and continued with `dead operations`. A job that dies meanwhile is left out.

    Exit code 0: done; 1: stopped before the end, or none was there any more; 2: nothing was done.
    """
    _operate("discard", _Wanted(wanted, job_ids, everything), acting, rate, yes=yes)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The dead letters that the user asked for: those of these ids, or those that a filter selects, or all."""

    selected: DeadLetterFilter
    job_ids: list[str] | None
    everything: bool

    def check(self) -> None:
        selects = bool(self.selected.as_text())
        if not (self.job_ids or selects or self.everything):
            fail("give job ids, an option that selects, such as --function or --error, or --all")
        if self.job_ids and (selects or self.everything):
            fail("give either job ids, or options that select, or --all")
        if selects and self.everything:
            fail("--all selects all: leave it out, or the other options that select")

    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(shown_text, self.job_ids or [])))


def _operate(act: OperationAct, wanted: _Wanted, acting: Acting, rate: float | None, *, yes: bool) -> None:
    wanted.check()

    async def operate() -> bool:
        async with queue_connection() as (redis, _):
            operations = DeadOperations(redis)
            # Before the dead letters are read: jobs that die later are neither previewed nor included.
            begun_ms = await operations.now_ms()
            preview = await _look(redis, wanted)
            _show(act, preview)
            if not preview.count:
                typer.echo("0 retried" if act == "retry" else "0 discarded")
                return True
            _confirm(act, preview.count, yes=yes)
            plan = Plan(
                act=act, ids=wanted.ids(), selection=wanted.selected.as_text(), total=preview.count, rate=rate,
                by=acting.actor, reason=acting.reason, begun_ms=begun_ms,
            )  # fmt: skip
            operation = await operations.begin(plan, new_operation_id(begun_ms))
            return await run_operation(operations, operation, acting)

    if not run(operate):
        raise SystemExit(EXIT_FAILED)


async def _look(redis: "Redis[bytes]", wanted: _Wanted) -> Preview:
    preview, store = Preview(), DeadLetterStore(redis)
    async for page in store.pages(wanted.selected, wanted.ids() or None):
        preview.add(page)
    if wanted.job_ids and preview.count < len(wanted.ids()):
        for job_id in wanted.ids():
            # Names the first that is not there.
            await store.get(job_id)
        raise DeadLetterNotFound("a dead letter was retried or discarded meanwhile; run the command again")
    return preview


def _show(act: OperationAct, preview: Preview) -> None:
    if preview.count:
        out = Console(stderr=True, highlight=False, soft_wrap=True)
        what = "1 dead letter" if preview.count == 1 else f"{preview.count:,} dead letters"
        out.print(f"{what} to {act}:")
        out.print(letters_table(preview.first))
        if preview.count > len(preview.first):
            out.print(f"and {preview.count - len(preview.first):,} more")
    if act == "retry" and preview.without_payload:
        typer.echo(f"{preview.without_payload:,} not retried: no payload is stored", err=True)


def _confirm(act: OperationAct, count: int, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        fail("nothing was done: give --yes to confirm")
    if not typer.confirm(escape(f"{act.capitalize()} {count:,}?"), err=True):
        fail("nothing was done")
