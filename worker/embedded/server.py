"""The common part of the private servers: start on a private port, stop, kill, freeze, restart."""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.embedded import ports
from worker.embedded.errors import EmbeddedServerError, PortTakenError
from worker.embedded.folders import DataFolder
from worker.embedded.processes import ServerProcess

_PORT_ATTEMPTS = 5
_PORT_FILE = "port"
# A mongod that is primary first looks for a successor.
_STOP_SECONDS = 20.0


class PrivateServer(ABC):
    """A server on 127.0.0.1 in its own folder, as a child process that does not outlive this process.

    Its port is chosen at the first start and kept for as long as this object lives. It is also written
    to the folder, so that a later run on the same folder uses it again if it is free.
    """

    def __init__(self, name: str, data: DataFolder, subfolder: str, *, start_timeout: float) -> None:
        self._name = name
        self._data = data
        self._subfolder = subfolder
        self._start_timeout = start_timeout
        self._process: ServerProcess | None = None
        self._port: int | None = None

    @property
    def pid(self) -> int:
        """The server's process id. Raises EmbeddedServerError if it is not running."""
        return self._started().pid

    @property
    def port(self) -> int:
        """The server's port. Raises EmbeddedServerError before the first start."""
        if self._port is None:
            raise EmbeddedServerError(f"the private {self._name} has no port yet: start it first")
        return self._port

    @property
    def running(self) -> bool:
        """Whether the server is running now."""
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises EmbeddedServerError, with the end of the server's log, if it does not.
        """
        folder = self._data.open() / self._subfolder
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._process is None or self._process.folder != folder:
            self._process = ServerProcess(self._name, self._find_binary(), folder, self._environment())
        if self._port is not None:
            await self._start_on(self._process, folder, self._port)
            return
        stored = _stored_port(folder)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = stored if stored and ports.is_free(stored) else ports.choose_port()
            try:
                await self._start_on(self._process, folder, port)
            except PortTakenError:
                # Another process took the port after it was chosen.
                if attempt == _PORT_ATTEMPTS:
                    raise
            else:
                (folder / _PORT_FILE).write_text(f"{port}\n")
                self._port = port
                return

    def keep_port(self) -> bool:
        """Bind this object to the port of an earlier run; False if another process uses it now."""
        stored = _stored_port(self._data.open() / self._subfolder)
        if self._port is None and stored is not None and ports.is_free(stored):
            self._port = stored
        return stored is None or self._port is not None

    async def stop(self) -> None:
        """Stop the server cleanly (SIGTERM, then SIGKILL). Does nothing if it is not running."""
        if self._process is not None:
            await self._process.stop(seconds=_STOP_SECONDS)

    async def kill(self) -> None:
        """SIGKILL the server and wait until it has exited; its data is kept for the next start."""
        await self._started().kill()

    async def restart(self) -> None:
        """Stop cleanly and start again on the same data and port."""
        await PrivateServer.stop(self)
        await self.start()

    def freeze(self) -> None:
        """SIGSTOP the server: connections stay open and get no answer."""
        self._started().signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT the server after `freeze`."""
        self._started().signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """The end of the server's log, for an error message."""
        return self._started().log_tail()

    async def _start_on(self, process: ServerProcess, folder: Path, port: int) -> None:
        await process.start(
            self._arguments(folder, port),
            port=port,
            answering_pid=self._answering_pid,
            seconds=self._start_timeout,
            temporary=self._data.temporary,
        )

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise EmbeddedServerError(f"the private {self._name} is not running: start it first")
        return self._process

    def _environment(self) -> Mapping[str, str]:
        """The environment variables of the server's process."""
        return os.environ

    @abstractmethod
    def _find_binary(self) -> Path: ...

    @abstractmethod
    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        """The server's arguments. The folder exists when this is called."""

    @abstractmethod
    async def _answering_pid(self, port: int) -> int | None:
        """The id of the process that answers on the port; None while no process does."""


def _stored_port(folder: Path) -> int | None:
    try:
        return int((folder / _PORT_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
