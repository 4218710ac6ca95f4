"""Writes documents to a file or to standard output, one after the other, in whatever number."""

import csv
import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson

from worker.errors import ConfigurationError
from worker.escaping import escape, escape_json
from worker.mongo.client import Document
from worker.mongo.plain_json import plain

# Private, like the database that it comes from; new, so that nothing is overwritten.
_NEW_PRIVATE_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Form:
    """How documents are written: each as `line` gives it, and what stands before, between and after them."""

    line: Callable[[Document], str]
    before: str = ""
    between: str = ""
    after: str = ""


def json_line(value: Any, option: int = 0) -> str:
    """Return JSON of one line, which a terminal can show: instants in UTC, foreign types of MongoDB as text."""
    return escape_json(orjson.dumps(value, plain, option | orjson.OPT_PASSTHROUGH_DATETIME).decode())


def csv_row(cells: Iterable[str]) -> str:
    """Return one line of CSV."""
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(cells)
    return row.getvalue()


def csv_cell(value: object) -> str:
    """Return a value as a cell of CSV, which a terminal can show; one that is not known is empty.

    As in the rows to correct of an import, nothing is put before `=` or `-`: a list may be loaded again.
    """
    match value:
        case None:
            return ""
        case str():
            return escape(value)
        case int() | float() if not isinstance(value, bool):
            return str(value)
    # Texts that JSON puts into quotes, such as instants, have no quotes in them.
    return json_line(value).strip('"')


async def write_all(documents: AsyncIterator[Document], form: Form, target: TextIO) -> int:
    """Write the documents, and return their number."""
    count = 0
    target.write(form.before)
    async for document in documents:
        target.write((form.between if count else "") + form.line(document))
        count += 1
    target.write(form.after)
    return count


@contextmanager
def output(path: Path | None) -> Iterator[TextIO]:
    """Yield what to write to: standard output, or a file beside `path` that gets this name once it is whole.

    Raises `ConfigurationError` if `path` exists, at the start or at the end.
    """
    if path is None:
        yield sys.stdout
        # So that a reader that has ended is noticed before the number is reported.
        sys.stdout.flush()
        return
    if path.exists():
        raise _exists(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, _NEW_PRIVATE_FILE, _MODE), "w", encoding="utf-8", newline="") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _rename(part, path)
        finally:
            part.unlink(missing_ok=True)


def _rename(part: Path, path: Path) -> None:
    try:
        # Unlike a renaming, this never replaces a file that was made meanwhile.
        path.hardlink_to(part)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:
        # Some file systems have no links.
        if path.exists():
            raise _exists(path) from None
        part.rename(path)


def _exists(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path}: already exists; choose another name")
