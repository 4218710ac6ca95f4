"""The metrics of the processes of one `hospital-worker run`: each writes a file, their parent adds them up.

A file needs no answer from a process. So a process that hangs delays nobody, and the counts of a process that has
died are still there.
"""

import contextlib
import json
import os
from pathlib import Path

from worker.monitoring.samples import Samples

FOLDER_VARIABLE = "HOSPITAL_WORKER_METRICS_FOLDER"
"""The environment variable that names the folder to a process. Only the parent sets it, so it is not a setting."""
WRITE_EVERY_S = 1.0


def file_of(folder: Path, pid: int) -> Path:
    """Return the file that the process `pid` writes."""
    return folder / f"{pid}.json"


class ProcessFile:
    """Writes the metrics of this process; every reader sees a whole file."""

    def __init__(self, folder: Path) -> None:
        self._file = file_of(folder, os.getpid())
        self._next = self._file.with_suffix(".next")

    def write(self, samples: Samples) -> None:
        """Write the values; if that fails, the ones before stay."""
        # The folder goes with the parent, and a full disk must not end a worker.
        with contextlib.suppress(OSError):
            self._next.write_text(json.dumps(samples.as_json()), encoding="utf-8")
            self._next.replace(self._file)


class ProcessFiles:
    """Adds up the metrics of all processes, those that have ended included: no counter falls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = Samples()

    def ended(self, pid: int) -> None:
        """Keep what a process that has ended had counted."""
        file = file_of(self._folder, pid)
        self._ended.merge(_read(file).without_gauges())
        file.unlink(missing_ok=True)

    def samples(self) -> Samples:
        """Return the sums."""
        total = Samples()
        total.merge(self._ended)
        for file in sorted(self._folder.glob("*.json")):
            total.merge(_read(file))
        return total


def _read(file: Path) -> Samples:
    try:
        return Samples.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # It has not written yet, or is of another version.
        return Samples()
