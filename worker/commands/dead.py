"""`hospital-worker dead …`: jobs that will not be tried again until a person decides."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from worker.commands.support import EXIT_FAILED, console, fail, queue_connection, run
from worker.escaping import escape, escape_json
from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore

# Dead letters hold payloads; and an earlier export is not to be lost to a repeated command.
_NEW_PRIVATE_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL

app = typer.Typer(no_args_is_help=True, help="List, show, retry, discard and export dead letters.")

JobIds = Annotated[list[str] | None, typer.Argument(help="Job ids.")]
FunctionFilter = Annotated[str | None, typer.Option("--function", help="Only jobs of this function.")]
ErrorFilter = Annotated[str | None, typer.Option("--error", help="Only jobs that ended with this class of error.")]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@app.command("list")
def list_dead_letters(function: FunctionFilter = None, error: ErrorFilter = None) -> None:
    """List dead letters, oldest first, without their payloads."""
    dead_letters = _find(None, function, error)
    table = Table("job", "function", "tries", "error", "reason", box=None, pad_edge=False)
    for dead_letter in dead_letters:
        failure = dead_letter.failure
        row = dead_letter.job_id, dead_letter.function or "?", str(failure.tries), failure.type, dead_letter.reason
        # Text, because rich takes `[red]` in a string for markup.
        table.add_row(*(Text(escape(cell)) for cell in row))
    if dead_letters:
        console().print(table)
    else:
        typer.echo("no dead letters")


@app.command()
def show(job_id: str) -> None:
    """Show one dead letter whole, with its payload, traceback and history."""

    async def get() -> DeadLetter:
        async with queue_connection() as (redis, _):
            return await DeadLetterStore(redis).get(job_id)

    dead_letter = run(get)
    typer.echo(escape_json(dead_letter.model_dump_json(indent=2, exclude={"payload"})))
    typer.echo("payload:")
    typer.echo(escape(dead_letter.envelope.decode(errors="backslashreplace")))


@app.command()
def retry(
    job_ids: JobIds = None,
    function: FunctionFilter = None,
    error: ErrorFilter = None,
    everything: Everything = False,
    per_second: Annotated[float | None, typer.Option(min=0.01, help="At most so many jobs a second.")] = None,
) -> None:
    """Put dead letters back on their queues, with all their tries before them."""
    dead_letters = _find(_chosen(job_ids, function, error, everything), function, error)

    async def put_back() -> int:
        async with queue_connection() as (redis, _):
            return await DeadLetterStore(redis).retry(dead_letters, per_second=per_second)

    hollow = sum(not dead_letter.payload for dead_letter in dead_letters)
    if hollow:
        typer.echo(f"{hollow} left as they are: nothing is kept of what they were to do", err=True)
    _tell("put back", run(put_back), dead_letters)


@app.command()
def discard(
    job_ids: JobIds = None,
    function: FunctionFilter = None,
    error: ErrorFilter = None,
    everything: Everything = False,
) -> None:
    """Delete dead letters for good. Export them first if anybody may want them."""
    dead_letters = _find(_chosen(job_ids, function, error, everything), function, error)

    async def delete() -> int:
        async with queue_connection() as (redis, _):
            return (
                await DeadLetterStore(redis).discard([dead_letter.job_id for dead_letter in dead_letters])
                if dead_letters
                else 0
            )

    _tell("discarded", run(delete), dead_letters)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output if left out.")] = None,
    function: FunctionFilter = None,
    error: ErrorFilter = None,
) -> None:
    """Write dead letters, payloads included, as one JSON object a line."""

    async def write() -> int:
        count = 0
        target = os.fdopen(os.open(file, _NEW_PRIVATE_FILE, 0o600), "w", encoding="utf-8") if file else sys.stdout
        try:
            async with queue_connection() as (redis, _):
                store = DeadLetterStore(redis)
                async for dead_letter in store.all(function=function, error=error):
                    try:
                        whole = await store.get(dead_letter.job_id)
                    except DeadLetterNotFound:
                        # Put back or discarded since it was listed.
                        continue
                    target.write(escape_json(whole.model_dump_json()) + "\n")
                    count += 1
        finally:
            if file:
                target.close()
        return count

    if file is not None and file.exists():
        fail(f"{file}: is there already; choose another name")
    typer.echo(f"{run(write)} exported", err=True)


def _chosen(
    job_ids: list[str] | None, function: str | None, error: str | None, everything: bool
) -> list[str] | None:
    if not (job_ids or function or error or everything):
        fail("say which: job ids, --function, --error or --all")
    if job_ids and (function or error or everything):
        fail("give job ids, or --function, --error or --all, not both")
    return job_ids


def _find(job_ids: list[str] | None, function: str | None, error: str | None) -> list[DeadLetter]:
    async def find() -> list[DeadLetter]:
        async with queue_connection() as (redis, _):
            store = DeadLetterStore(redis)
            if job_ids:
                return [await store.get(job_id) for job_id in job_ids]
            return [dead_letter async for dead_letter in store.all(function=function, error=error)]

    return run(find)


def _tell(what: str, count: int, dead_letters: list[DeadLetter]) -> None:
    typer.echo(f"{count} {what}")
    if dead_letters and not count:
        raise SystemExit(EXIT_FAILED)
