"""`hospital-worker dead operations …`: what is done to many dead letters, watched, stopped and continued."""

from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from rich.text import Text

from worker.acting_options import acting_options
from worker.commands.dead_running import continue_command, run_operation
from worker.commands.support import console, queue_connection, run
from worker.contract.acting import Acting
from worker.escaping import escape, escape_json
from worker.failing import EXIT_FAILED, fail
from worker.help_group import HelpGroup
from worker.monitoring.times import instant
from worker.queue.actions import keep_action
from worker.queue.dead_operations import DeadOperations, Operation
from worker.shared_options import takes

_WIDTH = 80

app = typer.Typer(
    cls=HelpGroup, no_args_is_help=True, help="Watch, stop and continue `dead retry` and `dead discard`."
)

OperationId = Annotated[str, typer.Argument(metavar="OPERATION", help="The id of the operation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_operations(as_json: AsJson = False) -> None:
    """List the operations of the last 30 days, the newest first."""

    async def read() -> list[Operation]:
        async with queue_connection() as (redis, _):
            return await DeadOperations(redis).all()

    found = run(read)
    if as_json:
        typer.echo(_json({"operations": [_shown(operation) for operation in found]}))
    elif found:
        table = Table("operation", "what", "state", box=None, pad_edge=False)
        table.add_column("done", justify="right")
        table.add_column("by", overflow="fold")
        for it in found:
            done = f"{it.done:,} of {it.plan.total:,}"
            table.add_row(*(Text(escape(cell)) for cell in (it.id, it.plan.act, it.state, done, it.plan.by)))
        out = console()
        out.print(table, soft_wrap=False, width=min(out.width, _WIDTH))
    else:
        typer.echo("no operations")


@app.command()
def show(operation_id: OperationId, as_json: AsJson = False) -> None:
    """Show an operation: what it does, how far it came, and whether it runs."""

    async def read() -> tuple[Operation, int]:
        async with queue_connection() as (redis, _):
            operations = DeadOperations(redis)
            return await operations.get(operation_id), await operations.now_ms()

    operation, now_ms = run(read)
    if as_json:
        typer.echo(_json(_shown(operation)))
        return
    plan = operation.plan
    facts = {
        "operation": operation.id,
        "what": f"{plan.act} {plan.chosen}",
        "state": operation.state,
        "done": f"{operation.done:,} of {plan.total:,} {plan.done_word}",
        "left out": f"{operation.left_out:,}" if operation.left_out else "",
        "rate": f"{plan.rate:g} a second" if plan.rate else "",
        "begun": f"{instant(plan.begun_ms, now_ms)} by {plan.by}",
        "reason": plan.reason,
        "last seen": instant(operation.seen_ms, now_ms),
    }
    if operation.state in ("stopped", "interrupted"):
        facts["to go on"] = continue_command(operation.id)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        if text:
            table.add_row(name, Text(escape(text)))
    out = console()
    out.print(table, soft_wrap=False, width=min(out.width, _WIDTH))


@app.command()
@takes(acting_options, argument="acting")
def stop(operation_id: OperationId, acting: Acting) -> None:
    """Stop an operation. The dead letters that it has not reached stay as they are.

    Exit code 0: stopped; 1: it does not run.
    """

    async def ask() -> str:
        async with queue_connection() as (redis, _):
            operations = DeadOperations(redis)
            operation = await operations.get(operation_id)
            if operation.state in ("running", "interrupted"):
                await keep_action(redis, acting.on("stop", "operation", [operation_id], operation=operation_id))
            return await operations.stop(operation_id)

    state = run(ask)
    if state != "running":
        fail(f"operation {operation_id} does not run: it is {state}", EXIT_FAILED)
    typer.echo(escape(f"stopped: {operation_id}"))


@app.command("continue")
@takes(acting_options, argument="acting")
def continue_operation(operation_id: OperationId, acting: Acting) -> None:
    """Continue an operation that was stopped, or whose command was interrupted.

    Exit code 0: done; 1: it runs, has finished, or was stopped again.
    """

    async def go_on() -> bool:
        async with queue_connection() as (redis, _):
            operations = DeadOperations(redis)
            operation = await operations.get(operation_id)
            if operation.state == "running":
                fail(f"nothing to continue: operation {operation_id} runs; stop it first", EXIT_FAILED)
            if operation.state != "finished":
                await keep_action(redis, acting.on("continue", "operation", [operation_id], operation=operation_id))
            # It may have ended since it was read.
            if await operations.take(operation_id) == "finished":
                fail(f"nothing to continue: operation {operation_id} has finished", EXIT_FAILED)
            return await run_operation(operations, await operations.get(operation_id), acting)

    if not run(go_on):
        raise SystemExit(EXIT_FAILED)


def _shown(operation: Operation) -> dict[str, Any]:
    return {**operation.model_dump(mode="json"), "began_at": operation.began_at.isoformat()}


def _json(shown: dict[str, Any]) -> str:
    return escape_json(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
