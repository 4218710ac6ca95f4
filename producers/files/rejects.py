"""The file of rejected rows, which a user corrects and loads again."""

import json
import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self, TextIO, cast

from producers.files.errors import FileError
from producers.files.readers.json_lines import REJECT_KEYS, REJECT_TEXT_KEYS
from producers.files.values import FileRow

_REASONS_KEPT = 5


def rejects_path(path: Path) -> Path:
    """Return where the rejected rows of the file at `path` go."""
    return path.with_name(path.name + ".rejects.ndjson")


class RejectWriter:
    """Writes rejected rows as NDJSON: `line`, `reasons` and the `row` by column (or its `text`).

    The file is created with the first rejected row. The rejects file of an earlier run is renamed at the start to
    `kept_earlier`, because a user may have corrected it. Rows that a worker rejects arrive after later lines of the
    file, so the rows are not in the order of the lines. Entering raises `FileError` if `path` cannot be written or
    contains anything other than rejects.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: list[tuple[int, str]] = []
        self.kept_earlier: Path | None = None
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Rename the rejects file of an earlier run."""
        try:
            self._keep_earlier()
        except OSError as error:
            raise FileError(
                self.path, f"the rejected rows of an earlier run cannot be renamed: {error.strerror}"
            ) from None
        if not self._is_device and not os.access(self.path.parent, os.W_OK | os.X_OK):
            # Checked now, so that the run does not fail at its first rejected row, in the middle of the file.
            raise FileError(self.path, "rejected rows cannot be written here; choose another file with --rejects")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, if there were rejects."""
        if self._file is not None:
            # Each line has been written. A failed write was reported then, and fails here again.
            with suppress(OSError):
                self._file.close()

    @property
    def _is_device(self) -> bool:
        """Whether rows go to a device, such as /dev/null or the terminal. A device is never renamed."""
        return self.path.is_char_device()

    def _keep_earlier(self) -> None:
        if not self.path.exists() or self._is_device:
            return
        if not self.path.is_file():
            raise FileError(self.path, "is not a regular file; choose another file with --rejects")
        if not _contains_rejects(self.path):
            raise FileError(self.path, "contains something other than rejected rows; move it away")
        self.kept_earlier = self._free_path()
        self.path.rename(self.kept_earlier)

    def _free_path(self) -> Path:
        paths = (self.path.with_name(f"{self.path.stem}.{n}{self.path.suffix}") for n in count(1))
        return next(path for path in paths if not path.exists())

    def write(self, row: FileRow, reasons: tuple[str, ...]) -> None:
        """Add one row. Raises `FileError` if it cannot be written."""
        if len(self.first) < _REASONS_KEPT:
            self.first.append((row.line, "; ".join(reasons)))
        form = {"line": row.line, "reasons": reasons} | (
            {"row": row.fields} if row.text is None else {"text": row.text}
        )
        try:
            if self._file is None:
                self._file = self._open()
            self._file.write(json.dumps(form, ensure_ascii=False) + "\n")
        except OSError as error:
            raise FileError(
                self.path,
                f"rejected rows cannot be written: {error.strerror}; choose another file with --rejects",
            ) from None
        self.count += 1

    def _open(self) -> TextIO:
        if self._is_device:
            return self._opened("w")
        try:
            return self._opened("x")
        except FileExistsError:
            # Another run has created the file since this one started.
            self._keep_earlier()
            return self._opened("x")

    def _opened(self, mode: str) -> TextIO:
        # Bytes that could not be decoded are lone surrogates in the row, which `backslashreplace` writes as JSON
        # escapes. Line buffering (1) makes a full disk fail at the row that it has no room for.
        return cast(TextIO, self.path.open(mode, buffering=1, encoding="utf-8", errors="backslashreplace"))


def _contains_rejects(path: Path) -> bool:
    with path.open("rb") as file:
        line = file.readline()
    try:
        form = json.loads(line)
    except ValueError:
        # An empty file contains nothing that could be lost.
        return not line.strip()
    return isinstance(form, dict) and form.keys() in (REJECT_KEYS, REJECT_TEXT_KEYS)
