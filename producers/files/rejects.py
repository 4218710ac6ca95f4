"""The file of rejected rows, which a person mends and loads again."""

import json
import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self, TextIO, cast

from producers.files.errors import FileError
from producers.files.hospitals import FileRow
from producers.files.readers import REJECT_KEYS, REJECT_TEXT_KEYS

_REASONS_KEPT = 5


def rejects_path(path: Path) -> Path:
    """Return where the rejected rows of the file at `path` go."""
    return path.with_name(path.name + ".rejects.ndjson")


class RejectWriter:
    """Writes rejected rows as NDJSON: `line`, `reasons` and the `row` by column (or its `text`).

    The file is made with the first reject; one of an earlier run is put aside at the start, as
    `kept_earlier`, since somebody may have mended it. Rows that a worker rejects come after later lines of the
    file, so the order is not that of the lines.
    """

    def __init__(self, path: Path) -> None:
        """Raise `FileError` when `path` cannot be written or holds something else than rejects."""
        self.path = path
        self.count = 0
        self.first: list[tuple[int, str]] = []
        self.kept_earlier: Path | None = None
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Put the rejects of an earlier run aside."""
        try:
            self._put_aside()
        except OSError as error:
            raise FileError(
                self.path, f"rejected rows of an earlier run cannot be put aside: {error.strerror}"
            ) from None
        if not self._is_device and not os.access(self.path.parent, os.W_OK | os.X_OK):
            # Found out now, and not at the first reject in the middle of the file.
            raise FileError(
                self.path, "rejected rows could not be written there; name another place with --rejects"
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, if there were rejects."""
        if self._file is not None:
            # Each line is on its way already; what could not be written was told then, and fails here again.
            with suppress(OSError):
                self._file.close()

    @property
    def _is_device(self) -> bool:
        """Whether rows go to a device, such as /dev/null or the terminal: it is written to, and never moved."""
        return self.path.is_char_device()

    def _put_aside(self) -> None:
        if not self.path.exists() or self._is_device:
            return
        if not self.path.is_file():
            raise FileError(self.path, "is no ordinary file; name another place with --rejects")
        if not _holds_rejects(self.path):
            raise FileError(self.path, "holds something else than rejected rows; move it away")
        self.kept_earlier = self._free_place()
        self.path.rename(self.kept_earlier)

    def _free_place(self) -> Path:
        places = (self.path.with_name(f"{self.path.stem}.{n}{self.path.suffix}") for n in count(1))
        return next(place for place in places if not place.exists())

    def write(self, row: FileRow, reasons: tuple[str, ...]) -> None:
        """Add one row. Raises `FileError` when it cannot be written."""
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
                f"rejected rows cannot be written: {error.strerror}; name another place with --rejects",
            ) from None
        self.count += 1

    def _open(self) -> TextIO:
        if self._is_device:
            return self._opened("w")
        try:
            return self._opened("x")
        except FileExistsError:
            # Another load has begun to write there since this one started.
            self._put_aside()
            return self._opened("x")

    def _opened(self, mode: str) -> TextIO:
        # What could not be decoded is lone surrogates in the row, and their escapes in JSON. By the line, so that a
        # full disk is told of the row that it has no room for.
        return cast(TextIO, self.path.open(mode, buffering=1, encoding="utf-8", errors="backslashreplace"))


def _holds_rejects(path: Path) -> bool:
    with path.open("rb") as file:
        line = file.readline()
    try:
        form = json.loads(line)
    except ValueError:
        # An empty file holds nothing that could be lost.
        return not line.strip()
    return isinstance(form, dict) and form.keys() in (REJECT_KEYS, REJECT_TEXT_KEYS)
