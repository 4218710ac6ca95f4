"""A small disk for a mongod of one's own, and its space used up: a tmpfs in a mount namespace of its own."""

import asyncio
import errno
import shlex
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.embedded.binaries import ServerBinary

_MOUNT = 'mount -t tmpfs -o "size=$2m,mode=0700" tmpfs "$1" && echo mounted && exec cat'
_BLOCK = bytes(65_536)


class CannotStageError(Exception):
    """This machine does not let a disk be mounted; the message is what it said."""


class SmallDisk:
    """A disk of `megabytes` mounted over `folder`, which exists, for the programs that `run_on_it` makes.

    It needs Linux with `unshare` and `nsenter` (util-linux), and leave to make namespaces, for which root or
    unprivileged user namespaces will do. Nobody else sees the disk; it is gone at the end of `async with`, once
    the programs on it have ended too. Raises `CannotStageError` on entry where all that cannot be had.
    """

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self._folder = folder.resolve()
        self._megabytes = megabytes
        self._holder: asyncio.subprocess.Process | None = None

    def run_on_it(self, program: ServerBinary, at: Path) -> Path:
        """Write an executable to the folder `at` that runs the program where the disk is, with the same id."""
        libraries = at / "libraries"
        libraries.mkdir()
        for name, file in program.libraries.items():
            (libraries / name).symlink_to(file)
        enter = ("nsenter", "--user", "--mount", "--preserve-credentials", f"--target={self._holder_id}")
        command = shlex.join(["env", f"LD_LIBRARY_PATH={libraries}", str(program.path)])
        script = at / program.path.name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(enter)} {command} "$@"\n')
        script.chmod(0o700)
        return script

    def fill(self) -> None:
        """Use up all the space that is left."""
        with self._filler.open("ab", buffering=0) as filler:
            while True:
                try:
                    filler.write(_BLOCK)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def make_room(self) -> None:
        """Give back what `fill` used."""
        self._filler.unlink()

    @property
    def _holder_id(self) -> int:
        assert self._holder is not None, "enter the disk first"
        return self._holder.pid

    @property
    def _filler(self) -> Path:
        # The folder as the process that holds the namespace sees it.
        return Path(f"/proc/{self._holder_id}/root{self._folder}/filler")

    async def __aenter__(self) -> Self:
        try:
            # It ends with the end of its input, and so with this process.
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
            told = await holder.stderr.read()
            await holder.wait()
            raise CannotStageError(told.decode(errors="replace").strip())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._holder is not None
        await self._holder.communicate(b"")
