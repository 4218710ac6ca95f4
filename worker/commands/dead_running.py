"""Runs an operation on dead letters in the foreground, with its progress and its record."""

import asyncio
import shlex
import sys
import time

import typer

from worker.contract.acting import Acting
from worker.queue.dead_operations import DeadOperations, Operation, StepState

_PROGRESS_S = 0.2


def continue_command(operation_id: str) -> str:
    """Return the command that continues an operation."""
    return f"hospital-worker dead operations continue {shlex.quote(operation_id)}"


async def run_operation(operations: DeadOperations, operation: Operation, acting: Acting) -> bool:
    """Run an operation until it ends, print and record what was done; returns whether all of it was.

    Ctrl-C stops it, so that it can be continued at once.
    """
    if operation.plan.rate is not None or operation.plan.total > operation.plan.rate_of_steps[0]:
        typer.echo(
            f"operation {operation.id}: to stop it, hospital-worker dead operations stop {operation.id}", err=True
        )
    progress = _Progress(operation)
    try:
        state = await operations.run(operation, progress.update)
    except asyncio.CancelledError:
        progress.clear()
        await operations.stop(operation.id)
        await _print_end(operations, operation, acting, "stopped")
        raise
    finally:
        progress.clear()
    return await _print_end(operations, operation, acting, state)


async def _print_end(operations: DeadOperations, operation: Operation, acting: Acting, state: StepState) -> bool:
    ended = await operations.record_end(operation, acting, state)
    if state == "finished":
        typer.echo(f"{ended.done:,} {ended.plan.done_word}")
        return ended.done > 0
    typer.echo(f"{ended.done:,} of {ended.plan.total:,} {ended.plan.done_word}")
    if state == "taken":
        typer.echo("another command continues this operation", err=True)
    else:
        typer.echo(f"{state}; to go on: {continue_command(operation.id)}", err=True)
    return False


class _Progress:
    """How many dead letters are done, as one line on standard error; shown only on a terminal."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._on_terminal = sys.stderr.isatty()
        self._updated = time.monotonic()
        self._shown = False

    def update(self, done: int) -> None:
        if self._on_terminal and time.monotonic() - self._updated >= _PROGRESS_S:
            plan = self._operation.plan
            typer.echo(f"\r{done:,} of {plan.total:,} {plan.done_word}", nl=False, err=True)
            self._updated, self._shown = time.monotonic(), True

    def clear(self) -> None:
        if self._shown:
            typer.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False
