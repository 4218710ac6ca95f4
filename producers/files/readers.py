"""Reads the rows of CSV and NDJSON texts as dictionaries, each with the number of its first line."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TextIO

import orjson

from producers.files.lines import MAX_ROW_LENGTH, MAX_ROW_LINES, NumberedLines, RowTooLong

FileFormat = Literal["csv", "ndjson"]
_DELIMITERS = ",;\t|"
_KEPT_TEXT = 2_000
_SAFE_BRACKETS = 200
REJECT_KEYS = frozenset(("line", "reasons", "row"))
REJECT_TEXT_KEYS = frozenset(("line", "reasons", "text"))


@dataclass(slots=True)
class RawRow:
    """One row of the file: its `fields` by column.

    An invalid row has a `problem`, and its `text` if it could not be split into fields.
    """

    line: int
    fields: dict[str, Any]
    text: str | None = None
    problem: str | None = None


class CsvReader:
    """The rows of a CSV text. The delimiter is whichever of `, ; tab |` occurs most often in the header."""

    def __init__(self, text: TextIO) -> None:
        self._lines = NumberedLines(text)
        self.delimiter = ","
        self.columns: list[str] = []
        self._csv = self._reader()
        self._read_header()

    def __iter__(self) -> Iterator[RawRow]:
        """Yield every row that is not blank."""
        columns, lines, width = self.columns, self._lines, len(self.columns)
        while True:
            lines.begin_row()
            try:
                cells = next(self._csv)
            except StopIteration:
                return
            except (csv.Error, RowTooLong) as error:
                yield self._invalid(error)
                continue
            if not cells or not any(cells):
                continue
            if len(cells) != width:
                if len(cells) < width or any(cells[width:]):
                    problem = f"has {len(cells)} cells, but the header has {width}"
                    surplus = {f"column {n}": cell for n, cell in enumerate(cells[width:], width + 1)}
                    fields = dict(zip(columns, cells, strict=False)) | surplus
                    yield RawRow(lines.first_number, fields, problem=problem)
                    continue
                del cells[width:]
            yield RawRow(lines.first_number, dict(zip(columns, cells, strict=True)))

    def _reader(self) -> Any:
        # `strict`, because a quote that is neither doubled nor around a field could silently shift text to another
        # field.
        return csv.reader(self._lines, delimiter=self.delimiter, strict=True, skipinitialspace=True)

    def _read_header(self) -> None:
        """Find the first line that is not blank, its delimiter, and the columns."""
        lines = self._lines
        first = ""
        while not first.strip():
            lines.begin_row()
            try:
                first = next(lines)
            except (StopIteration, RowTooLong):
                return
        self.delimiter = max(_DELIMITERS, key=lambda mark: _count_outside_quotes(first, mark))
        lines.push_back(0)
        self._csv = self._reader()
        try:
            cells = next(self._csv)
        except (csv.Error, RowTooLong, StopIteration):
            return
        self.columns = _distinct(cells)

    def _invalid(self, error: Exception) -> RawRow:
        if isinstance(error, RowTooLong):
            problem = (
                f"longer than {MAX_ROW_LENGTH} characters or {MAX_ROW_LINES} lines, "
                "perhaps because of a quote that is never closed"
            )
        elif "unexpected end of data" in str(error):
            problem = "a quote is opened but never closed"
        else:
            problem = f"not CSV: {error}"
        self._lines.push_back(1)
        text = self._lines.first_line[:_KEPT_TEXT].rstrip("\r\n")
        return RawRow(self._lines.first_number, {}, text, problem)


class NdjsonReader:
    """The rows of an NDJSON text: one JSON object per line.

    A line of a rejects file is read as the row in it, because users correct such files and load them again.
    """

    def __init__(self, text: TextIO) -> None:
        self._lines = NumberedLines(text)

    def __iter__(self) -> Iterator[RawRow]:
        """Yield every line that is not blank."""
        lines = self._lines
        while True:
            lines.begin_row()
            try:
                line = next(lines)
                # A line with nothing but a byte order mark is empty here.
                if not line or line.isspace():
                    continue
                fields = orjson.loads(line)
            except StopIteration:
                return
            except RowTooLong:
                yield self._invalid(f"longer than {MAX_ROW_LENGTH} characters")
                continue
            except orjson.JSONDecodeError as error:
                yield self._invalid(f"not JSON: {error}")
                continue
            if not isinstance(fields, dict):
                yield self._invalid("not a JSON object")
            elif _is_too_deep(line, fields):
                yield self._invalid("nested too deeply")
            elif fields.keys() == REJECT_KEYS and isinstance(fields["row"], dict):
                yield RawRow(lines.first_number, fields["row"])
            elif fields.keys() == REJECT_TEXT_KEYS:
                yield RawRow(
                    lines.first_number,
                    {},
                    str(fields["text"]),
                    "rejected earlier as text: put its values under 'row'",
                )
            else:
                yield RawRow(lines.first_number, fields)

    def _invalid(self, problem: str) -> RawRow:
        text = self._lines.first_line[:_KEPT_TEXT].rstrip("\r\n")
        return RawRow(self._lines.first_number, {}, text, problem)


def _is_too_deep(line: str, fields: dict[str, Any]) -> bool:
    # orjson reads 1,024 levels but writes 254, and a rejected row must be written.
    if line.count("[") + line.count("{") <= _SAFE_BRACKETS:
        return False
    try:
        orjson.dumps(fields)
    except orjson.JSONEncodeError:
        return True
    return False


def _count_outside_quotes(line: str, mark: str) -> int:
    # A doubled quote inside a quoted name adds an empty part outside the quotes, which changes nothing.
    return sum(part.count(mark) for part in line.split('"')[::2])


def _distinct(names: list[str]) -> list[str]:
    """Return the column names with blank and repeated ones replaced, because rows are dictionaries."""
    columns: list[str] = []
    for number, name in enumerate(names, 1):
        column = name.strip() or f"column {number}"
        columns.append(column if column not in columns else f"{column} ({number})")
    return columns
