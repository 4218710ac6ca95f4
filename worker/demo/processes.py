"""Worker processes, started through arq's own command line."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from arq.connections import ArqRedis

from worker.embedded import guardian
from worker.errors import RegistryError
from worker.queue.heartbeats import ready_workers

_STOP_S = 30.0


class WorkerProcess:
    """One worker process, or another `command`, which logs to a file. It does not outlive this process."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        folder: Path,
        command: Sequence[str] = (sys.executable, "-m", "arq", "worker.main.WorkerSettings"),
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.pid = 0
        self._environment = environment
        self._command = command
        self._guardian: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self._guardian = await asyncio.create_subprocess_exec(
                *(sys.executable, guardian.__file__, str(os.getpid()), ""),
                *self._command,
                env={**os.environ, **self._environment},
                # The guardian reads end of file here when this process dies.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # Ctrl-C reaches only the demo, which then stops its workers cleanly.
                start_new_session=True,
            )
        if self._guardian.stdout is not None:
            self.pid = int(await self._guardian.stdout.readline() or 0)

    async def wait_ready(self, redis: ArqRedis, seconds: float) -> None:
        """Wait until the worker reports that it takes jobs. Raises `RegistryError` with the end of its log."""
        try:
            async with asyncio.timeout(seconds):
                while self.pid not in {worker.pid for worker in await ready_workers(redis)}:
                    if self._guardian is not None and self._guardian.returncode is not None:
                        break
                    await asyncio.sleep(0.05)
                else:
                    return
        except TimeoutError:
            pass
        raise RegistryError(f"{self.name} did not become ready; the end of {self.log}:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    async def kill(self) -> None:
        """Kill the process with SIGKILL, to simulate a crash."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the process to stop with SIGTERM, and wait until it has exited."""
        await self._end(signal.SIGTERM)

    async def _end(self, signum: signal.Signals) -> None:
        guarding = self._guardian
        if guarding is None or guarding.returncode is not None:
            return
        self._signal(signum)
        try:
            async with asyncio.timeout(_STOP_S):
                await guarding.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await guarding.wait()

    def _signal(self, signum: signal.Signals) -> None:
        # A process that has just exited counts as running until its guardian exits.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signum)
