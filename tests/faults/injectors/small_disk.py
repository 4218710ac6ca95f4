"""A small disk for a test's own mongod, which a test can fill: a tmpfs in a private mount namespace."""

import asyncio
import errno
import shlex
from pathlib import Path
from types import TracebackType
from typing import Self

_MOUNT = 'mount -t tmpfs -o "size=$2m,mode=0700" tmpfs "$1" && echo mounted && exec cat'
_BLOCK = bytes(65_536)


class CannotStageError(Exception):
    """This machine does not allow the disk to be mounted; the message gives the system's reason."""


class SmallDisk:
    """A disk of `megabytes`, mounted over the existing `folder` for programs that start through `run_on_it`.

    It needs Linux with `unshare` and `nsenter` (util-linux), and permission to create namespaces: as root, or
    through unprivileged user namespaces. No other process sees the disk. It is removed at the end of `async with`,
    once the programs on it have ended too. Raises `CannotStageError` on entry if a requirement is missing.
    """

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self._folder = folder.resolve()
        self._megabytes = megabytes
        self._holder: asyncio.subprocess.Process | None = None

    def run_on_it(self, program: Path, at: Path) -> Path:
        """Write an executable to the folder `at` that runs the program with the disk, under the same process id."""
        enter = ("nsenter", "--user", "--mount", "--preserve-credentials", f"--target={self._holder_id}")
        script = at / program.name
        script.write_text(f'#!/bin/sh\nexec {shlex.join([*enter, str(program)])} "$@"\n')
        script.chmod(0o700)
        return script

    def fill(self) -> None:
        """Fill all the space that is left."""
        with self._filler.open("ab", buffering=0) as filler:
            while True:
                try:
                    filler.write(_BLOCK)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def make_room(self) -> None:
        """Free the space that `fill` used."""
        self._filler.unlink()

    @property
    def _holder_id(self) -> int:
        assert self._holder is not None, "enter the disk first"
        return self._holder.pid

    @property
    def _filler(self) -> Path:
        # The folder as seen by the process that holds the namespace.
        return Path(f"/proc/{self._holder_id}/root{self._folder}/filler")

    async def __aenter__(self) -> Self:
        try:
            # It ends when its input ends, and so when this process ends.
            self._holder = holder = await asyncio.create_subprocess_exec(
                *("unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT),
                *("sh", str(self._folder), str(self._megabytes)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise CannotStageError(f"{error.filename} is missing") from error
        assert holder.stdout is not None
        assert holder.stderr is not None
        if await holder.stdout.readline() != b"mounted\n":
            error_output = await holder.stderr.read()
            await holder.wait()
            raise CannotStageError(error_output.decode(errors="replace").strip())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._holder is not None
        await self._holder.communicate(b"")
