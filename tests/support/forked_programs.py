"""Starts workers and commands in a few milliseconds, as forks of one interpreter that has imported what they need.

To start an interpreter and import all that takes a second, which is longer than most commands run. What a program
does from its own first line on, and how it ends, is the same.
"""

import asyncio
import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tests.support.fork_server import NUMBER, Call

_ROOT = Path(__file__).resolve().parents[2]
# What `fork_server.py` has imported.
_PROGRAMS = frozenset(("arq", "producers", "worker"))
_POLL_S = 0.01


def can_fork(module: str, more: Mapping[str, str]) -> bool:
    """Whether a program can be started as a fork; `more` is its environment beside the usual one.

    Others import modules of their own, or need an interpreter with other options.
    """
    return module in _PROGRAMS and not any(name.startswith("PYTHON") for name in more)


class ForkedProgram:
    """A program that runs, with what tests use of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, report: int) -> None:
        self.pid = pid
        self._report = report
        self._code: int | None = None
        os.set_blocking(report, False)

    def __del__(self) -> None:
        if self._code is None:
            os.close(self._report)

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative number of the signal that ended it; None as long as it runs."""
        if self._code is None:
            try:
                found = os.read(self._report, NUMBER.size)
            except BlockingIOError:
                return None
            # Whoever ends the server ends its forks.
            self._code = NUMBER.unpack(found)[0] if found else -signal.SIGTERM
            os.close(self._report)
        return self._code

    async def wait(self) -> int:
        """Wait until it has ended; return the exit code."""
        while (code := self.returncode) is None:
            await asyncio.sleep(_POLL_S)
        return code

    def send_signal(self, signum: int) -> None:
        """Send a signal to it, unless it is known to have ended."""
        if self.returncode is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        """SIGTERM it."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL it."""
        self.send_signal(signal.SIGKILL)


async def start_fork(
    module: str, *arguments: str, environment: Mapping[str, str], out: IO[bytes], err: IO[bytes]
) -> ForkedProgram:
    """Run `python -m MODULE` with all of its environment in a fork; its output goes to two files."""
    call = Call(module, list(arguments), dict(environment))
    # The first call waits for the imports.
    return await asyncio.to_thread(_shared_server().run, call, out.fileno(), err.fileno())


class ForkServer:
    """The interpreter that forks. It and all forks end with this process, however that ends."""

    def __init__(self) -> None:
        self._calls, theirs = socket.socketpair()
        self._one_at_a_time = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
            )

    def run(self, call: Call, out: int, err: int) -> ForkedProgram:
        """Start a program, whose output goes to two descriptors."""
        found, report = os.pipe()
        with self._one_at_a_time:
            try:
                line = json.dumps(call).encode() + b"\n"
                sent = socket.send_fds(self._calls, [line], [out, err, report])
                self._calls.sendall(line[sent:])
            finally:
                os.close(report)
            pid = os.read(found, NUMBER.size)
        if not pid:
            os.close(found)
            raise RuntimeError(f"the fork server has ended with code {self.process.wait()}")
        return ForkedProgram(NUMBER.unpack(pid)[0], found)

    def stop(self) -> None:
        """End it, and with it all programs that still run."""
        self._calls.close()
        self.process.wait()


@functools.cache
def _shared_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.stop)
    return server
