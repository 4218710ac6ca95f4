"""The page over the demonstration's data, until Ctrl-C."""

import asyncio
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from worker.demo.processes import WorkerProcess
from worker.embedded.ports import LOOPBACK, choose_port
from worker.errors import RegistryError
from worker.monitoring.dashboard.passwords import hash_password

_READY_S = 30.0
_USER = "operator"


async def serve_page(console: Console, folder: Path, environment: Mapping[str, str]) -> None:
    """Serve the page for one operator with a new password, print both, and return after SIGINT, SIGTERM or SIGHUP.

    Raises `RegistryError` if it does not start, such as without the extra `dashboard`.
    """
    stopped = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    port, password = choose_port(), secrets.token_urlsafe(12)
    users = {"DASHBOARD_USERS": f"{_USER}:operator:{hash_password(password)}"}
    command = (sys.executable, "-m", "worker", "dashboard", "--port", str(port))
    page = WorkerProcess("dashboard", {**environment, **users}, folder, command)
    await page.start()
    try:
        await _wait_for(port, page)
        console.print(f"The page: http://{LOOPBACK}:{port}/  name: {_USER}  password: {password}")
        console.print("Ctrl-C ends it")
        await stopped.wait()
    finally:
        await page.stop()


async def _wait_for(port: int, page: WorkerProcess) -> None:
    """Wait until something listens on the port. Raises `RegistryError` with the end of the log."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_S):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(LOOPBACK, port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)
    raise RegistryError(f"the page did not start; the end of {page.log}:\n{page.log_tail()}")
