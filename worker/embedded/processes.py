"""One server as a child process: started under a guardian, signalled by pid, with a lock on its folder."""

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from worker.embedded.binaries import library_advice
from worker.embedded.errors import EmbeddedServerError, PortTakenError

_Result = TypeVar("_Result")

# The pause between polls grows: an election takes seconds, and polling three members costs more than the election.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _PAUSE_GROWTH = 0.02, 0.2, 1.3
_LOCK_SECONDS = 5.0
_KILL_SECONDS = 10.0
_TAIL_LINES, _TAIL_WIDTH = 12, 400
_GUARDIAN = Path(__file__).with_name("guardian.py")
_NEWER_LIBC = re.compile(r"version `(GLIBC_[\d.]+)' not found")
_ILLEGAL_INSTRUCTION = 128 + signal.SIGILL
_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):|Library not loaded: (\S+)")


async def wait_until(
    condition: Callable[[], Awaitable[_Result | None]], *, seconds: float, failure: Callable[[], str]
) -> _Result:
    """Wait until the condition returns a true value, and return that value.

    After `seconds`, raises EmbeddedServerError with the message that `failure` returns.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while not (result := await condition()):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(failure())
        await asyncio.sleep(pause)
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
    return result


async def together(*actions: Awaitable[None]) -> None:
    """Run all actions to completion, then raise the first error in order. None is left running."""
    for outcome in await asyncio.gather(*actions, return_exceptions=True):
        if outcome is not None:
            raise outcome


class ServerProcess:
    """A server's process in its folder, which must exist.

    The process has its own session, so Ctrl-C in a terminal does not reach it, and a guardian, so it
    does not outlive this process. It holds a lock on the folder as long as it lives. Its output goes to
    `server.log` in the folder. The object is not bound to an event loop.
    """

    def __init__(self, name: str, binary: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._binary = binary
        self.folder = folder
        self._environment = environment
        self._log = folder / "server.log"
        self._log_start = 0
        self._guardian: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def running(self) -> bool:
        """Whether the server is running now."""
        return self._guardian is not None and self._guardian.poll() is None

    @property
    def pid(self) -> int:
        """The server's process id. Raises EmbeddedServerError if it is not running."""
        if not self.running:
            raise EmbeddedServerError(f"the private {self.name} is not running: start it first")
        return self._pid

    async def start(
        self,
        arguments: Sequence[str],
        *,
        port: int,
        answering_pid: Callable[[int], Awaitable[int | None]],
        seconds: float,
        temporary: Path | None,
    ) -> None:
        """Start the server, wait until it answers on its port, and make sure that it is this one.

        `answering_pid` asks the process that listens on the port for its process id; None means that
        no process answers yet. `temporary` is a folder to remove if this process dies before the
        server. A server that is not ready within `seconds` is killed. Raises PortTakenError or
        EmbeddedServerError.
        """
        lock = await self._lock_folder()
        try:
            self._spawn(arguments, lock, temporary)
        finally:
            os.close(lock)

        async def ready() -> bool:
            self._raise_if_exited(port)
            answering = await answering_pid(port)
            if answering not in (None, self._pid):
                raise PortTakenError(
                    f"port {port} is answered by process {answering}, not by the private {self.name} "
                    f"(process {self._pid}): that server is left alone; start on another port"
                )
            return answering is not None

        try:
            await wait_until(
                ready,
                seconds=seconds,
                failure=lambda: f"{self.name} was not ready within {seconds:g} s; {self.log_tail()}",
            )
        except BaseException:
            if self.running:
                await self.kill()
            self._close_lifeline()
            raise

    async def stop(self, *, seconds: float) -> None:
        """Stop the server cleanly if it is running, even if it is frozen; SIGKILL it after `seconds`."""
        if self.running:
            # In this order: after SIGTERM, an empty server has ended within a millisecond.
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                await self._wait_for_exit(seconds)
            except EmbeddedServerError:
                await self.kill()
        self._close_lifeline()

    async def kill(self) -> None:
        """SIGKILL the server and wait until it has exited."""
        self.signal(signal.SIGKILL)
        await self._wait_for_exit(_KILL_SECONDS)
        self._close_lifeline()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server. Raises EmbeddedServerError if it is not running."""
        # A server that has just exited counts as running until its guardian exits.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def log_tail(self) -> str:
        """The end of the server's log of this run, for an error message."""
        lines = self._log_of_this_run().splitlines()[-_TAIL_LINES:]
        shown = "\n  ".join(line[:_TAIL_WIDTH] for line in lines) or "(empty)"
        return f"the end of its log:\n  {shown}"

    def _raise_if_exited(self, port: int) -> None:
        if self.running:
            return
        log = self._log_of_this_run()
        if "Address already in use" in log:
            raise PortTakenError(f"port {port} for the private {self.name} is taken by another process")
        if missing := _MISSING_LIBRARY.search(log):
            library = missing[1] or missing[2]
            raise EmbeddedServerError(
                f"{self._binary} needs the shared library {library}, which was not found: "
                f"{library_advice(Path(library).name)}, or put another {self.name} on PATH"
            )
        if newer := _NEWER_LIBC.search(log):
            raise EmbeddedServerError(
                f"{self._binary} needs {newer[1]}, and this system's C library is older: use a newer system "
                f"(Debian 12, Ubuntu 22.04, RHEL 9), or put another {self.name} on PATH"
            )
        code = self._guardian.returncode if self._guardian else None
        if code == _ILLEGAL_INSTRUCTION:
            raise EmbeddedServerError(
                f"{self._binary} uses instructions that this processor does not have (MongoDB needs AVX on "
                f"x86_64 and ARMv8.2-A on arm64): put another {self.name} on PATH"
            )
        raise EmbeddedServerError(
            f"{self.name} ({self._binary}) exited during start-up with code {code}; {self.log_tail()}"
        )

    def _spawn(self, arguments: Sequence[str], lock: int, temporary: Path | None) -> None:
        if self.running:
            raise EmbeddedServerError(f"the private {self.name} is already running (process {self._pid})")
        self._close_lifeline()
        guarding = [str(os.getpid()), str(temporary or "")]
        report_read, report_write = os.pipe()
        with self._log.open("ab") as log, os.fdopen(report_read, "rb") as report:
            self._log_start = log.tell()
            try:
                self._guardian = subprocess.Popen(
                    [
                        *(sys.executable, "-I", "-S", str(_GUARDIAN), *guarding),
                        *(str(self._binary), *arguments),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=report_write,
                    stderr=log,
                    cwd=self.folder,
                    env=self._environment,
                    start_new_session=True,
                    # The server keeps this descriptor, and with it the lock, until it ends.
                    pass_fds=[lock],
                )
            finally:
                os.close(report_write)
            # Blocks for some 30 ms, on purpose: with `await`, a cancellation here would leave a running server with
            # an unknown process id.
            self._pid = int(report.readline() or 0)
        if not self._pid:
            self._guardian.wait()
            raise EmbeddedServerError(f"{self.name} could not be started; {self.log_tail()}")

    async def _lock_folder(self) -> int:
        """An open descriptor that locks the folder. Waits for a server that is just exiting."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)

        async def locked() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        try:
            await wait_until(
                locked,
                seconds=_LOCK_SECONDS,
                failure=lambda: f"{self.folder} is in use by another {self.name}: stop it, or use another folder",
            )
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _log_of_this_run(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def _wait_for_exit(self, seconds: float) -> None:
        async def exited() -> bool:
            return not self.running

        await wait_until(exited, seconds=seconds, failure=lambda: f"{self.name} did not exit within {seconds:g} s")

    def _close_lifeline(self) -> None:
        """Close the pipe that shows the guardian that this process is alive."""
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
