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

    Each process runs `arq worker.main.WorkerSettings`. With WORKER_METRICS_PORT, one endpoint serves the metrics of
    all of them.
    """
    heed_sigterm()
    try:
        settings = load_settings()
        configure_logging(settings)
        if settings.worker_metrics_port is None:
            code = asyncio.run(Supervisor(processes).run())
        else:
            # Imported only here: the client of Redis and the library take a part of a second.
            from worker.monitoring.fleet_metrics import run_with_metrics  # noqa: PLC0415

            code = asyncio.run(run_with_metrics(processes, settings, settings.worker_metrics_port))
    except ConfigurationError as error:
        fail(f"The workers cannot start.\n{error}")
    raise SystemExit(code)
