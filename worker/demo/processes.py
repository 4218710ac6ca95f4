"""Real workers as real processes, started through arq's own command line."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from arq.connections import ArqRedis

from worker.errors import RegistryError
from worker.queue.heartbeat import ready_workers

_STOP_S = 30.0


class WorkerProcess:
    """One `arq worker.main.WorkerSettings`, its log in a file."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process's id; 0 before it was started."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "arq",
                "worker.main.WorkerSettings",
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
                # Ctrl-C reaches the demo alone, which then stops its workers in order.
                start_new_session=True,
            )

    async def wait_ready(self, redis: ArqRedis, seconds: float) -> None:
        """Wait until the worker says that it takes jobs. Raises `RegistryError` with the end of its log."""
        try:
            async with asyncio.timeout(seconds):
                while self.pid not in {worker.pid for worker in await ready_workers(redis)}:
                    if self._process is not None and self._process.returncode is not None:
                        break
                    await asyncio.sleep(0.05)
                else:
                    return
        except TimeoutError:
            pass
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        raise RegistryError(f"{self.name} did not become ready; the end of {self.log}:\n{tail}")

    async def kill(self) -> None:
        """End the process with SIGKILL, as a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the process to stop, and wait until it has."""
        await self._end(signal.SIGTERM)

    async def _end(self, signum: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signum)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
