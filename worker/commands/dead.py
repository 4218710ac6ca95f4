"""`hospital-worker dead …`: jobs that will not be retried automatically."""

import json
from typing import Annotated

import typer

from worker.codec import Codec
from worker.commands import dead_bulk, dead_files, dead_operations
from worker.commands.dead_options import filter_options
from worker.commands.dead_tables import facts_of, letters_table, traceback_of
from worker.commands.support import console, print_facts, queue_connection, run
from worker.escaping import escape, escape_json
from worker.help_group import HelpGroup
from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_filter import DeadLetterFilter
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.exported_dead_letters import exported
from worker.queue.heartbeats import redis_time
from worker.settings import load_settings
from worker.shared_options import takes

_WIDTH = 80

app = typer.Typer(
    cls=HelpGroup, no_args_is_help=True, help="List, show, retry, discard, export and import dead letters."
)


@app.command("list")
@takes(filter_options, argument="wanted")
def list_dead_letters(
    wanted: DeadLetterFilter,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List dead letters, oldest first, without their payloads."""

    async def find() -> list[DeadLetter]:
        async with queue_connection() as (redis, _):
            return [it.dead_letter async for page in DeadLetterStore(redis).pages(wanted) for it in page]

    dead_letters = run(find)
    if as_json:
        for dead_letter in dead_letters:
            typer.echo(escape_json(json.dumps(dead_letter.summary(), ensure_ascii=False)))
    elif dead_letters:
        console().print(letters_table(dead_letters))
    else:
        typer.echo("no dead letters")


@app.command()
def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The id of the job.")],
    payload: Annotated[
        bool, typer.Option("--payload", help="Show the payload too, which may be personal data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show one dead letter: what failed, when, how often and where, with traceback and earlier tries."""

    async def get() -> tuple[DeadLetter, float]:
        async with queue_connection() as (redis, _):
            return await DeadLetterStore(redis).get(job_id), (await redis_time(redis)).timestamp() * 1000

    dead_letter, now_ms = run(get)
    if as_json:
        shown = exported(dead_letter, Codec(load_settings().signing_secrets()))
        if not payload:
            shown = {name: value for name, value in shown.items() if name not in ("payload", "message")}
        typer.echo(escape_json(json.dumps(shown, indent=2, ensure_ascii=False)))
        return
    facts = facts_of(dead_letter, now_ms)
    if dead_letter.has_payload and not payload:
        facts["payload"] += ", not shown without --payload"
    print_facts(facts)
    if trace := traceback_of(dead_letter):
        typer.echo(f"\n{trace}")
    if payload:
        typer.echo("\npayload:")
        typer.echo(escape(dead_letter.envelope.decode(errors="backslashreplace")))


app.command()(dead_bulk.retry)
app.command()(dead_bulk.discard)
app.command()(dead_files.export)
app.command("import")(dead_files.import_dead_letters)
app.add_typer(dead_operations.app, name="operations")
