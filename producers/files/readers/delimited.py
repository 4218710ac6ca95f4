"""Reads delimited texts: CSV, TSV and the like."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from producers.files.detection.delimiters import Marks, unescaped
from producers.files.detection.headers import distinct
from producers.files.lines import MAX_ROW_LENGTH, MAX_ROW_LINES, NumberedLines, RowTooLong
from producers.files.readers.extra_cells import SHIFTED, ExtraCells
from producers.files.readers.line_breaks import without_halves
from producers.files.readers.open_quotes import swallows_rows
from producers.files.readers.text import TextSource, repair, shortened
from producers.files.table import Dialect, RawRow
from producers.files.values.cells import shown

_CLOSED_ROWS_LATER = "a quote is opened, and closed only after the rows below it"


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """A delimited text. `pads` says that rows leave out the empty cells at their end.

    `header_rows`: in how many rows the names of the columns are, if there is a header. `extra` judges rows
    that have empty cells after the last column; without it these are left out.
    """

    source: TextSource
    dialect: Dialect
    marks: Marks
    columns: Sequence[str]
    notes: Sequence[str]
    pads: bool = False
    header_rows: int = 1
    extra: ExtraCells | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def lines(self) -> int:
        """The number of physical lines."""
        return self.source.encoding.lines

    def rows(self) -> Iterator[RawRow]:
        """Yield every row that is not blank. Raises `FileError` if reading fails part-way."""
        with self.source.open() as text:
            rows = read_rows(
                text,
                self.marks,
                self.columns,
                self.dialect,
                pads=self.pads,
                header_rows=self.header_rows,
                extra=self.extra,
            )
            if self.pads:
                rows = without_halves(rows, self.columns)
            if not self.source.encoding.strays:
                yield from rows
                return
            for row in rows:
                row.fields, row.repaired = repair(row.fields)
                yield row


def read_rows(
    text: TextIO,
    marks: Marks,
    columns: Sequence[str],
    dialect: Dialect,
    *,
    pads: bool = False,
    header_rows: int = 1,
    extra: ExtraCells | None = None,
) -> Iterator[RawRow]:
    """Yield the rows of a text below its header."""
    lines = NumberedLines(text)
    lines.skip(dialect.skip_rows)
    # `strict`, because a quote that is neither doubled nor around a cell could silently shift text to another.
    rows = csv.reader(
        unescaped(lines, marks),
        delimiter=marks.delimiter,
        quotechar=marks.quote,
        escapechar=marks.escape or None,
        strict=True,
        skipinitialspace=marks.delimiter not in " \t",
    )
    header = header_rows if dialect.header else 0
    before: Sequence[str] = ()
    while True:
        lines.begin_row()
        try:
            cells = next(rows)
            if not (header or lines.is_one_line) and swallows_rows(lines.row, marks, len(columns), before):
                raise csv.Error(_CLOSED_ROWS_LATER)
        except StopIteration:
            return
        except (csv.Error, RowTooLong) as error:
            problem = _problem(error)
            lines.push_back(1)
            cells = split_leniently(lines.first_line, marks) if _is_of_quotes(error) else []
            if len(cells) != len(columns):
                if not header:
                    yield RawRow(lines.first_number, {}, shortened(lines.first_line), problem)
                header = max(0, header - 1)
                continue
        if not any(cells):
            continue
        if header:
            header -= 1
            continue
        if len(cells) < len(columns):
            cells = _completed(cells, marks, len(columns), pads=pads)
        before = cells
        shift = _problem_of_shift(cells, lines, marks, extra)
        row = _row(lines.first_number, columns, cells)
        row.problem = row.problem or shift
        yield row


def _problem_of_shift(
    cells: Sequence[str], lines: NumberedLines, marks: Marks, extra: ExtraCells | None
) -> str | None:
    if extra is None or not extra.may_be_shifted(cells):
        return None
    raw = split_leniently(lines.first_line, marks, keep_blanks=True) if lines.is_one_line else []
    return SHIFTED if extra.are_shifted(cells, raw) else None


def _row(number: int, columns: Sequence[str], cells: list[str]) -> RawRow:
    width = len(columns)
    if len(cells) > width and not any(cells[width:]):
        del cells[width:]
    fields = dict(zip(columns, cells, strict=False))
    if len(cells) == width:
        return RawRow(number, fields)
    problem = f"has {len(cells)} cells, but the header has {width}"
    if len(cells) > width:
        names = distinct([*columns, *[""] * (len(cells) - width)])[width:]
        fields.update(zip(names, cells[width:], strict=True))
        problem += f"; after the last column: {shown(cells[width:])!r}"
    return RawRow(number, fields, problem=problem)


def _completed(cells: list[str], marks: Marks, width: int, *, pads: bool) -> list[str]:
    """Split a row that a second program has quoted as a whole, if that makes a row, and add what a row left out."""
    if len(cells) == 1:
        inner = split_leniently(cells[0], marks)
        cells = inner if len(inner) == width else cells
    return cells + [""] * (width - len(cells)) if pads else cells


def split_leniently(line: str, marks: Marks, *, keep_blanks: bool = False) -> list[str]:
    """Split a line whose quotes are broken: a quote closes a cell only before a delimiter or the end of the line.

    `keep_blanks`: those in front of a cell without quotes are kept.
    Return no cells if a quote is never closed, because then nobody knows where its cell ends.
    """
    text, quote, delimiter = line.rstrip("\r\n"), marks.quote, marks.delimiter
    cells: list[str] = []
    position = 0
    while position <= len(text):
        start = position
        while text[start : start + 1] == " " and delimiter != " ":
            start += 1
        if text[start : start + 1] == quote:
            end = text.find(quote + delimiter, start + 1)
            if end < 0:
                end = len(text) - 1 if text.endswith(quote) and len(text) - 1 > start else -1
            if end < 0:
                return []
            cells.append(text[start + 1 : end].replace(quote * 2, quote))
            position = end + 1 + len(delimiter)
        else:
            end = text.find(delimiter, position)
            end = len(text) if end < 0 else end
            cells.append(text[position if keep_blanks else start : end])
            position = end + len(delimiter)
    return cells


def _is_of_quotes(error: Exception) -> bool:
    return isinstance(error, csv.Error) and "limit" not in str(error)


def _problem(error: Exception) -> str:
    if isinstance(error, RowTooLong):
        return (
            f"longer than {MAX_ROW_LENGTH} characters or {MAX_ROW_LINES} lines, "
            "perhaps because of a quote that is never closed"
        )
    if str(error) == _CLOSED_ROWS_LATER:
        return _CLOSED_ROWS_LATER
    if "unexpected end of data" in str(error):
        return "a quote is opened but never closed"
    return f"not CSV: {error}"
