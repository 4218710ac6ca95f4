"""Counts the hospitals of a file again, without the import's own reader, to find any that are not stored."""

import csv
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from io import StringIO

from producers.files import HospitalFile
from worker.contract.identity import hospital_identity
from worker.contract.placeholders import is_placeholder_identifier, placeholder_kind

_FIELDS = ("hospital_name", "source", "external_id", "country", "state", "city", "postal_code")
# An open quote swallows no more lines than these; without a limit, many of them would each swallow the whole file.
_MOST_LINES = 500


def distinct_hospitals(file: HospitalFile, rejected: Collection[int]) -> int:
    """Return how many hospitals the file has by their identities, in rows that are not on the `rejected` lines.

    An uncompressed CSV file is read with the standard library. For any other file, the count is of the rows that
    the import's reader finds. Raises `FileError` or `OSError` if the file cannot be read.
    """
    if file.dialect.format != "csv" or file.dialect.compression or len(file.dialect.delimiter) != 1:
        return len({hospital_identity(row.known) for row in file.rows() if row.known is not None})
    return len({identity for line, identity in _identities(file) if line not in rejected})


def _identities(file: HospitalFile) -> Iterator[tuple[int, str]]:
    """Yield the first line and the identity of each row that has a name."""
    dialect = file.dialect
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    positions = {column: number for number, column in enumerate(file.statistics)}
    used = {field: [positions[it] for it in file.columns.columns_of(field)] for field in _FIELDS}
    with file.path.open(encoding=encoding, errors="replace", newline="") as text:
        for number, row in enumerate(_rows(text, dialect.skip_rows, dialect.delimiter)):
            if number == 0 and dialect.header:
                continue
            line, cells = row
            if len(cells) == 1 < len(positions):
                # A second program has quoted the row as a whole.
                inner = next(csv.reader(StringIO(cells[0], newline=""), delimiter=dialect.delimiter), cells)
                cells = inner if len(inner) == len(positions) else cells
            known = {field: _text(cells, numbers, field) for field, numbers in used.items()}
            if known["hospital_name"] is not None:
                known["source"] = file.source or known["source"]
                yield line, hospital_identity(known)


def _rows(text: Iterable[str], skipped: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line and the cells of each row that is not blank, after the `skipped` lines.

    A quote that is not closed, or not as CSV has it, costs only its own line: the lines that it has swallowed are
    read again.
    """
    unread, taken = iter(text), list[str]()
    line = skipped + 1
    for _ in range(skipped):
        next(unread, None)
    again: deque[str] = deque()

    def lines() -> Iterator[str]:
        while len(taken) < _MOST_LINES and (read := again.popleft() if again else next(unread, "")):
            taken.append(read.replace("\0", ""))
            yield taken[-1]

    while True:
        taken.clear()
        try:
            cells = next(csv.reader(lines(), delimiter=delimiter, strict=True), None)
        except csv.Error:
            again.extendleft(reversed(taken[1:]))
            del taken[1:]
            cells = []
            with suppress(csv.Error):
                cells = next(csv.reader(taken, delimiter=delimiter))
        if cells is None:
            return
        if cells:
            yield line, cells
        line += len(taken)


def _text(cells: list[str], numbers: list[int], field: str) -> str | None:
    joint = "-" if field == "external_id" else " "
    found = [" ".join(cells[number].split()) for number in numbers if number < len(cells)]
    if field == "external_id":
        # A key of several columns is one only with all its parts.
        complete = len(found) == len(numbers) > 0
        return joint.join(found) if complete and not any(map(is_placeholder_identifier, found)) else None
    text = joint.join(it for it in found if placeholder_kind(it) != "unknown")
    return text or None
