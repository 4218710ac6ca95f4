"""Runs several worker processes on one machine: starts, watches, restarts and stops them together."""

import asyncio
import ctypes
import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping

import structlog

from worker.backoff import Backoff

_log = structlog.stdlib.get_logger(__name__)

_BACKOFF = Backoff(first_s=0.5, longest_s=30)
# A process that lived this long was healthy: its back-off starts over.
_HEALTHY_S = 30.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded here, because nothing may be imported or loaded between fork and exec.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
# SIGHUP arrives when the terminal is closed.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def exit_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its parent, the process `parent`, dies. Linux only.

    For `preexec_fn`. The kernel sends the signal when the *thread* that forked ends, so start child processes from
    a thread that lives as long as the parent.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)


class Supervisor:
    """Runs `count` processes of `arq worker.main.WorkerSettings`.

    A process that exits is restarted with exponential back-off, within half a second at first and 30 s at most.
    Each SIGTERM, SIGINT and SIGHUP is forwarded to all processes as SIGTERM. After the first of them no process is
    restarted. If the supervisor is killed, the kernel sends the workers SIGTERM (on Linux).

    `environment` is added to that of the processes. `ended` is called with the id of each process that has ended.
    """

    def __init__(
        self, count: int, environment: Mapping[str, str] | None = None, ended: Callable[[int], None] | None = None
    ) -> None:
        self._count = count
        self._environment = {**os.environ, **(environment or {})}
        self._ended = ended
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until a signal stops it. Returns 0, or 1 if a process did not stop cleanly."""
        loop = asyncio.get_running_loop()
        for signum in _SIGNALS:
            loop.add_signal_handler(signum, self._stop)
        codes = await asyncio.gather(*(self._keep_running(slot) for slot in range(self._count)))
        return 0 if not any(codes) else 1

    def _stop(self) -> None:
        self._stopping.set()
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()

    async def _keep_running(self, slot: int) -> int:
        failures = code = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                process = await self._start()
            except OSError as error:
                failures += 1
                delay_s = _BACKOFF.delay_s(failures)
                # Too many open files or processes, or too little memory, for now. The other workers keep running.
                _log.error(
                    "cannot start a worker process; will retry",
                    action="worker_not_started",
                    slot=slot,
                    error=os.strerror(error.errno or 0),
                    again_in_s=round(delay_s, 2),
                )
                await self._rest(delay_s)
                continue
            self._processes[slot] = process
            if self._stopping.is_set():
                process.terminate()
            code = await process.wait()
            if self._ended is not None:
                self._ended(process.pid)
            if self._stopping.is_set():
                break
            failures = 1 if time.monotonic() - started > _HEALTHY_S else failures + 1
            delay_s = _BACKOFF.delay_s(failures)
            _log.error(
                "a worker process died",
                action="worker_ended",
                slot=slot,
                code=code,
                again_in_s=round(delay_s, 2),
            )
            await self._rest(delay_s)
        return code

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "arq",
            "worker.main.WorkerSettings",
            env=self._environment,
            # A terminal's signals reach only the supervisor, which forwards them once.
            start_new_session=True,
            preexec_fn=functools.partial(exit_with_parent, os.getpid()),
        )

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
