"""`hospital-worker run`: several worker processes on one machine."""

import asyncio
from typing import Annotated

import typer

from worker.errors import ConfigurationError
from worker.failing import fail
from worker.first_process import heed_sigterm
from worker.logs import configure_logging
from worker.settings import load_settings
from worker.supervisor import Supervisor


def run(
    processes: Annotated[int, typer.Option(min=1, max=256, help="Number of worker processes.")] = 2,
) -> None:
    """Run several worker processes, and restart any that exits.

    Each process runs `arq worker.main.WorkerSettings`.
    """
    heed_sigterm()
    try:
        configure_logging(load_settings())
    except ConfigurationError as error:
        fail(f"The workers cannot start.\n{error}")
    raise SystemExit(asyncio.run(Supervisor(processes).run()))
