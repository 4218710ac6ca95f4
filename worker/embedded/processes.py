"""One server as a child process: spawned under a guardian, signalled by pid, locked to its folder."""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from worker.embedded.binaries import ServerBinary, library_advice
from worker.embedded.errors import EmbeddedServerError, PortTakenError

_Result = TypeVar("_Result")

# Looks come apart: an election takes seconds, and to ask three members costs more than the election itself.
_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS, _APART = 0.02, 0.2, 1.3
_LOCK_SECONDS = 5.0
_KILL_SECONDS = 10.0
_TAIL_LINES, _TAIL_WIDTH = 12, 400
_GUARDIAN = Path(__file__).with_name("guardian.py")
_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):|Library not loaded: (\S+)")


async def wait_until(
    condition: Callable[[], Awaitable[_Result | None]], *, seconds: float, failure: Callable[[], str]
) -> _Result:
    """Wait until the condition gives something true, and return that.

    Raises EmbeddedServerError with what `failure` says after `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_LOOK_SECONDS
    while not (result := await condition()):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(failure())
        await asyncio.sleep(pause)
        pause = min(pause * _APART, _LAST_LOOK_SECONDS)
    return result


async def together(*actions: Awaitable[None]) -> None:
    """Run all to their end, then raise the first error in order: none is left running."""
    for outcome in await asyncio.gather(*actions, return_exceptions=True):
        if outcome is not None:
            raise outcome


class ServerProcess:
    """A server's process in its folder, which exists.

    The process has a session of its own, so Ctrl-C in a terminal does not reach it, and a
    guardian, so it does not outlive this process. It holds a lock on the folder as long as it
    lives. Output goes to `server.log` in the folder. Bound to no event loop.
    """

    def __init__(self, name: str, binary: ServerBinary, folder: Path) -> None:
        self.name = name
        self._binary = binary
        self.folder = folder
        self._log = folder / "server.log"
        self._log_start = 0
        self._guardian: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def running(self) -> bool:
        """Whether the server lives now."""
        return self._guardian is not None and self._guardian.poll() is None

    @property
    def pid(self) -> int:
        """The server's process id. Raises EmbeddedServerError if it does not run."""
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

        `answering_pid` asks whoever listens on the port for its process id; None means that
        nobody answers yet. `temporary` is a folder to remove if this process dies before the
        server. A server that is not ready in `seconds` is ended. Raises PortTakenError or
        EmbeddedServerError.
        """
        lock = await self._lock_folder()
        try:
            self._spawn(arguments, lock, temporary)
        finally:
            os.close(lock)

        async def ready() -> bool:
            self._raise_if_ended(port)
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
            raise

    async def stop(self, *, seconds: float) -> None:
        """End the server cleanly if it runs, frozen or not; after `seconds` by SIGKILL."""
        if self.running:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
            try:
                await self._wait_for_end(seconds)
            except EmbeddedServerError:
                await self.kill()
        self._close_lifeline()

    async def kill(self) -> None:
        """SIGKILL the server and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self._wait_for_end(_KILL_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server. Raises EmbeddedServerError if it does not run."""
        # A server that has just ended counts as running until its guardian has told so.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def log_tail(self) -> str:
        """The end of the server's log of this run, for a message."""
        lines = self._log_of_this_run().splitlines()[-_TAIL_LINES:]
        shown = "\n  ".join(line[:_TAIL_WIDTH] for line in lines) or "(empty)"
        return f"the end of its log:\n  {shown}"

    def _raise_if_ended(self, port: int) -> None:
        if self.running:
            return
        log = self._log_of_this_run()
        if "Address already in use" in log:
            raise PortTakenError(f"port {port} for the private {self.name} is taken by another process")
        if missing := _MISSING_LIBRARY.search(log):
            library = missing[1] or missing[2]
            raise EmbeddedServerError(
                f"{self._binary.path} needs the shared library {library}, which was not found: "
                f"{library_advice(Path(library).name)}, or put another {self.name} on PATH"
            )
        code = self._guardian.returncode if self._guardian else None
        raise EmbeddedServerError(
            f"{self.name} ({self._binary.path}) ended at start with code {code}; {self.log_tail()}"
        )

    def _spawn(self, arguments: Sequence[str], lock: int, temporary: Path | None) -> None:
        if self.running:
            raise EmbeddedServerError(f"the private {self.name} is running already (process {self._pid})")
        self._close_lifeline()
        guarding = [str(os.getpid()), str(temporary or ""), self._link_libraries()]
        report_read, report_write = os.pipe()
        with self._log.open("ab") as log, os.fdopen(report_read, "rb") as report:
            self._log_start = log.tell()
            try:
                self._guardian = subprocess.Popen(
                    [
                        *(sys.executable, "-I", "-S", str(_GUARDIAN), *guarding),
                        *(str(self._binary.path), *arguments),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=report_write,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,
                    # The server keeps this descriptor, and with it the lock, until it ends.
                    pass_fds=[lock],
                )
            finally:
                os.close(report_write)
            # Blocks for some 30 ms, on purpose: a cancellation here would lose a running server.
            self._pid = int(report.readline() or 0)
        if not self._pid:
            self._guardian.wait()
            raise EmbeddedServerError(f"{self.name} could not be started; {self.log_tail()}")

    async def _lock_folder(self) -> int:
        """An open descriptor that locks the folder. A server that is just ending is waited for."""
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

    def _link_libraries(self) -> str:
        """The value of LD_LIBRARY_PATH for the server alone; empty if it wants none."""
        if not self._binary.libraries:
            return ""
        folder = self.folder / "lib"
        # Links of an earlier run may lead to an environment that is gone.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, file in self._binary.libraries.items():
            (folder / name).symlink_to(file)
        return os.pathsep.join(filter(None, [str(folder), os.environ.get("LD_LIBRARY_PATH")]))

    def _log_of_this_run(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def _wait_for_end(self, seconds: float) -> None:
        async def ended() -> bool:
            return not self.running

        await wait_until(ended, seconds=seconds, failure=lambda: f"{self.name} did not end within {seconds:g} s")

    def _close_lifeline(self) -> None:
        """Close the pipe that told the guardian that this process lives."""
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
