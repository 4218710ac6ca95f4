"""`hospital-worker dead …`: jobs that will not be retried automatically."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from worker.commands.support import console, queue_connection, run
from worker.escaping import escape, escape_json
from worker.failing import EXIT_FAILED, fail
from worker.help_group import HelpGroup
from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore

# Private, because dead letters contain payloads. New, so that a repeated command does not overwrite an earlier
# export.
_NEW_PRIVATE_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL

app = typer.Typer(cls=HelpGroup, no_args_is_help=True, help="List, show, retry, discard and export dead letters.")

JobIds = Annotated[list[str] | None, typer.Argument(help="Job ids.")]
FunctionFilter = Annotated[str | None, typer.Option("--function", help="Only jobs of this function.")]
ErrorFilter = Annotated[str | None, typer.Option("--error", help="Only jobs that failed with this error class.")]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@app.command("list")
def list_dead_letters(function: FunctionFilter = None, error: ErrorFilter = None) -> None:
    """List dead letters, oldest first, without their payloads."""
    dead_letters = _find(None, function, error)
    table = Table("job", "function", "tries", "error", "reason", box=None, pad_edge=False)
    for dead_letter in dead_letters:
        failure = dead_letter.failure
        row = dead_letter.job_id, dead_letter.function or "?", str(failure.tries), failure.type, dead_letter.reason
        # Text, because rich interprets `[red]` in a string as markup.
        table.add_row(*(Text(escape(cell)) for cell in row))
    if dead_letters:
        console().print(table)
    else:
        typer.echo("no dead letters")


@app.command()
def show(job_id: str) -> None:
    """Show one dead letter with payload, traceback and history."""

    async def get() -> DeadLetter:
        async with queue_connection() as (redis, _):
            return await DeadLetterStore(redis).get(job_id)

    dead_letter = run(get)
    typer.echo(escape_json(dead_letter.model_dump_json(indent=2, exclude={"payload", "payload_digest"})))
    typer.echo("payload:")
    typer.echo(escape(dead_letter.envelope.decode(errors="backslashreplace")))


@app.command()
def retry(
    job_ids: JobIds = None,
    function: FunctionFilter = None,
    error: ErrorFilter = None,
    everything: Everything = False,
    per_second: Annotated[
        float | None, typer.Option(min=0.01, help="Retry at most this many jobs per second.")
    ] = None,
) -> None:
    """Retry dead letters: return them to their queues, each with a full retry budget."""
    dead_letters = _find(_checked(job_ids, function, error, everything), function, error)

    async def retry_all() -> int:
        async with queue_connection() as (redis, _):
            return await DeadLetterStore(redis).retry(dead_letters, per_second=per_second)

    without_payload = sum(not dead_letter.has_payload for dead_letter in dead_letters)
    if without_payload:
        typer.echo(f"{without_payload} not retried: no payload is stored", err=True)
    _print_count("retried", run(retry_all), dead_letters)


@app.command()
def discard(
    job_ids: JobIds = None,
    function: FunctionFilter = None,
    error: ErrorFilter = None,
    everything: Everything = False,
) -> None:
    """Delete dead letters permanently. Export them first if they may be needed later."""
    dead_letters = _find(_checked(job_ids, function, error, everything), function, error)

    async def delete() -> int:
        async with queue_connection() as (redis, _):
            return (
                await DeadLetterStore(redis).discard([dead_letter.job_id for dead_letter in dead_letters])
                if dead_letters
                else 0
            )

    _print_count("discarded", run(delete), dead_letters)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Output file; standard output if omitted.")] = None,
    function: FunctionFilter = None,
    error: ErrorFilter = None,
) -> None:
    """Export dead letters with payloads, one JSON object per line."""

    async def write() -> int:
        count = 0
        target = os.fdopen(os.open(file, _NEW_PRIVATE_FILE, 0o600), "w", encoding="utf-8") if file else sys.stdout
        try:
            async with queue_connection() as (redis, _):
                store = DeadLetterStore(redis)
                async for dead_letter in store.all(function=function, error=error):
                    try:
                        with_history = await store.get(dead_letter.job_id)
                    except DeadLetterNotFound:
                        # Retried or discarded since it was listed.
                        continue
                    target.write(escape_json(with_history.model_dump_json()) + "\n")
                    count += 1
            # So that a reader that has ended is noticed before the number is reported.
            target.flush()
        finally:
            if file:
                target.close()
        return count

    if file is not None and file.exists():
        fail(f"{file}: already exists; choose another name")
    typer.echo(f"{run(write)} exported", err=True)


def _checked(
    job_ids: list[str] | None, function: str | None, error: str | None, everything: bool
) -> list[str] | None:
    if not (job_ids or function or error or everything):
        fail("give job ids, --function, --error or --all")
    if job_ids and (function or error or everything):
        fail("give either job ids, or --function, --error or --all")
    return job_ids


def _find(job_ids: list[str] | None, function: str | None, error: str | None) -> list[DeadLetter]:
    async def find() -> list[DeadLetter]:
        async with queue_connection() as (redis, _):
            store = DeadLetterStore(redis)
            if job_ids:
                return [await store.get(job_id) for job_id in job_ids]
            return [dead_letter async for dead_letter in store.all(function=function, error=error)]

    return run(find)


def _print_count(action: str, count: int, dead_letters: list[DeadLetter]) -> None:
    typer.echo(f"{count} {action}")
    if dead_letters and not count:
        raise SystemExit(EXIT_FAILED)
