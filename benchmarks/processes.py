"""Workers and bare loops as separate processes, which log to files."""

import asyncio
import os
import signal
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.errors import BenchmarkError

_STOP_S = 10.0
_LOG_LINES = 15


class Process:
    """A Python process. `async with` starts it and stops it with SIGTERM, or with SIGKILL after 10 s."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._arguments = arguments
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                env={**os.environ, **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._started()
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._started().pid

    def kill(self) -> None:
        """Kill the process with SIGKILL, to simulate a crash."""
        self._started().kill()

    def check(self) -> None:
        """Raise `BenchmarkError` if the process has exited."""
        if self._started().returncode is not None:
            raise self.failure("exited unexpectedly")

    async def output(self, statuses: Container[int] = (0,)) -> str:
        """Wait until the process exits and return its output.

        Raises `BenchmarkError` if its exit code is not in `statuses`.
        """
        process = self._started()
        printed, _ = await process.communicate()
        if process.returncode not in statuses:
            raise self.failure(f"exited with code {process.returncode}")
        return printed.decode()

    def failure(self, what: str) -> BenchmarkError:
        """Return an error with the end of the process's log."""
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        return BenchmarkError(f"{' '.join(self._arguments)} {what}; the end of its log:\n{tail}")

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise BenchmarkError(f"{' '.join(self._arguments)} was not started")
        return self._process
