"""Runs an operation on dead letters in the foreground, with its progress and its record."""

import asyncio
import shlex
import sys
import time

import typer
from redis.asyncio import Redis

from worker.contract.acting import Acting
from worker.queue.actions import keep_end
from worker.queue.dead_operations import DeadOperations, Operation, StepState

_PROGRESS_S = 0.2
_WORDS = {"retry": "retried", "discard": "discarded"}


def continue_command(operation_id: str) -> str:
    """Return the command that continues an operation."""
    return f"hospital-worker dead operations continue {shlex.quote(operation_id)}"


def done_word(operation: Operation) -> str:
    """Return what an operation does, as a thing done: retried or discarded."""
    return _WORDS[operation.plan.act]


async def run_operation(
    redis: "Redis[bytes]", operations: DeadOperations, operation: Operation, acting: Acting
) -> bool:
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
        await _print_end(redis, operations, operation, acting, "stopped")
        raise
    finally:
        progress.clear()
    return await _print_end(redis, operations, operation, acting, state)


async def _print_end(
    redis: "Redis[bytes]", operations: DeadOperations, operation: Operation, acting: Acting, state: StepState
) -> bool:
    ended = await operations.get(operation.id)
    result = state if state != "finished" or not ended.left_out else f"finished, {ended.left_out:,} left out"
    await keep_end(
        redis,
        acting.on(
            operation.plan.act, "dead letters", operation.plan.ids, selection=operation.plan.selection,
            count=ended.done, result=result, operation=operation.id,
        ),
    )  # fmt: skip
    if state == "finished":
        typer.echo(f"{ended.done:,} {done_word(operation)}")
        return ended.done > 0
    typer.echo(f"{ended.done:,} of {operation.plan.total:,} {done_word(operation)}")
    if state == "taken":
        typer.echo("another command continues this operation", err=True)
    else:
        typer.echo(f"{state}; to go on: {continue_command(operation.id)}", err=True)
    return False


class _Progress:
    """How many letters are done, as one line on standard error; shown only on a terminal."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._on_terminal = sys.stderr.isatty()
        self._updated = time.monotonic()
        self._shown = False

    def update(self, done: int) -> None:
        if self._on_terminal and time.monotonic() - self._updated >= _PROGRESS_S:
            word = done_word(self._operation)
            typer.echo(f"\r{done:,} of {self._operation.plan.total:,} {word}", nl=False, err=True)
            self._updated, self._shown = time.monotonic(), True

    def clear(self) -> None:
        if self._shown:
            typer.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False
