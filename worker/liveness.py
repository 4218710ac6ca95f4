"""A file for each worker process that says when its event loop last ran: what `hospital-worker check --live` reads.

A file and not Redis, because an orchestrator that restarts what is not alive must not restart every worker when
Redis or MongoDB is unavailable. A worker holds a lock on its file. The kernel releases the lock when the process
ends, however it ends, so a file without a lock is a remnant, whichever process has that id by now.
"""

import errno
import fcntl
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

BEAT_INTERVAL_S = 1.0
# Earlier versions read so many bytes, and nothing but two numbers in them.
_BEAT_BYTES = 64
_LONGEST_REGISTRY = 64
_SUFFIX = ".live"


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker process of this user on this machine, or in this container.

    Its event loop last ran `silent_s` seconds ago, and may be silent for `tolerated_s`. `registry` is what the
    worker was given; it is empty if that was nothing, as in earlier versions.
    """

    worker: str
    silent_s: float
    tolerated_s: float
    registry: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the process should be left alone; a restart is the remedy if not."""
        return self.silent_s <= self.tolerated_s


def live_folder() -> Path:
    """Return the folder of the files: in `TMPDIR`, or in /tmp, and for the user of this process alone."""
    # Not `tempfile.gettempdir()`, which tries what is writable: a worker and a check must find the same folder.
    temporary = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 (the folder in it is made for this user alone)
    return Path(temporary) / f"hospital-worker-{os.getuid()}"


class LiveFile:
    """The file of one worker, from its creation until `close`. `worker` must be unique on this machine.

    `registry` is a mark that all workers of one registry share: ASCII, at most 64 characters.

    Creating it raises `OSError` if the folder cannot be used, such as one that another user has made.
    """

    def __init__(self, worker: str, tolerated_s: float, registry: str = "") -> None:
        folder = live_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "is not a folder of this user", str(folder))
        self._path = folder / f"{worker}{_SUFFIX}"
        self._tolerated_s = tolerated_s
        # Under another name until it is locked and written: a check removes files that nobody has locked.
        unlocked = folder / f"{worker}.new"
        self._file = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            # POSIX's lock, not BSD's: a process that a job forks must not hold it when this one is dead.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.beat()
            os.pwrite(self._file, registry.encode("ascii")[:_LONGEST_REGISTRY], _BEAT_BYTES)
            unlocked.rename(self._path)
        except OSError:
            os.close(self._file)
            raise

    def beat(self) -> None:
        """Note that the event loop runs. Raises `OSError` if the file cannot be written."""
        # Always the same length, so that a reader never meets half a number. The monotonic clock is the machine's.
        beat = b"%017.3f %017.3f" % (time.monotonic(), self._tolerated_s)
        os.pwrite(self._file, beat.ljust(_BEAT_BYTES - 1) + b"\n", 0)

    def close(self) -> None:
        """Remove the file: the worker ends."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def live_workers() -> list[LiveWorker]:
    """Return this user's worker processes on this machine; remove the files of processes that have ended."""
    found = []
    for path in sorted(live_folder().glob(f"*{_SUFFIX}")):
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            # Its worker ended a moment ago.
            continue
        try:
            if _is_locked(file):
                beat_s, tolerated_s = (float(number) for number in os.pread(file, _BEAT_BYTES, 0).split())
                registry = os.pread(file, _LONGEST_REGISTRY, _BEAT_BYTES).decode("ascii", "replace")
                silent_s = max(0.0, time.monotonic() - beat_s)
                found.append(LiveWorker(path.name.removesuffix(_SUFFIX), silent_s, tolerated_s, registry))
            else:
                path.unlink(missing_ok=True)
        finally:
            os.close(file)
    return found


def _is_locked(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    return False
