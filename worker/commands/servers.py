"""`hospital-worker servers`: a private Redis and MongoDB until Ctrl-C."""

import asyncio
import shlex
import signal
from pathlib import Path
from typing import Annotated

import typer

from worker.commands.support import run
from worker.embedded import EmbeddedServers


def servers(
    data: Annotated[Path | None, typer.Option(help="Keep the data in this folder for the next run.")] = None,
) -> None:
    """Run a private Redis and MongoDB replica set until Ctrl-C. Prints their URLs as `export` lines."""
    run(lambda: _serve(data))


async def _serve(data: Path | None) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    async with EmbeddedServers(data_dir=data) as running:
        for name, value in running.environment().items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        await stopped.wait()
