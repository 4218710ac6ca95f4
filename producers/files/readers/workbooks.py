"""Reads a sheet of an Excel or OpenDocument workbook (xlsx, xlsm, xls, xlsb, ods).

A workbook cannot be streamed: the memory that is needed grows with the rows of the sheet.
"""

import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from producers.files.detection.compression import open_bytes
from producers.files.detection.headers import Header, distinct, filled, find_header
from producers.files.errors import FileError
from producers.files.spooling import shown_path
from producers.files.table import Compression, Dialect, RawRow, Wishes
from producers.files.words import fold

MAX_WORKBOOK = 1 << 28
"""The most bytes of a workbook: 256 MB, which is several million cells."""
_ROWS_COMPARED = 200
Cell = int | float | str | bool | time | date | datetime | timedelta


@dataclass(frozen=True, slots=True)
class WorkbookTable:
    """One sheet of a workbook, in memory. `first` is the index of the first row below the header.

    `alike` are the names of other sheets with the same columns, if nobody has said which sheet to read: one list
    may be in several sheets, such as one of each region.
    """

    path: Path
    dialect: Dialect
    columns: Sequence[str]
    notes: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    first: int
    alike: Sequence[str] = ()

    @property
    def lines(self) -> int:
        """The number of rows of the sheet."""
        return len(self.cells)

    def rows(self) -> Iterator[RawRow]:
        """Yield every row that is not blank."""
        for number, cells in enumerate(self.cells[self.first :], self.first + 1):
            values = [_value(cell) for cell in cells[: len(self.columns)]]
            if any(value is not None for value in values):
                yield RawRow(number, dict(zip(self.columns, values, strict=False)))


def open_workbook(path: Path, compression: Compression, wishes: Wishes) -> WorkbookTable:
    """Return the sheet that the user has named, or the one with the largest table. Raises `FileError`."""
    sheets = _sheets(path, compression)
    sizes = {name: _size(cells) for name, cells in sheets.items()}
    if wishes.sheet is not None:
        if wishes.sheet not in sheets:
            raise FileError(path, f"has no sheet {wishes.sheet!r}; its sheets are {', '.join(map(repr, sheets))}")
        name = wishes.sheet
    else:
        name = max(sizes, key=lambda name: sizes[name])
    cells = sheets[name]
    if not sizes[name]:
        raise FileError(path, f"its sheet {name!r} contains no rows")
    texts, header, columns = _columns(cells, wishes)
    notes = [f"sheet {name!r} is read"] if len(sheets) > 1 else []
    others = [other for other, size in sizes.items() if other != name and size]
    if others:
        notes[0] += f"; --sheet chooses another: {', '.join(map(repr, others[:10]))}"
    alike = [other for other in others if header.present and _has_columns(sheets[other], columns, wishes)]
    if wishes.sheet is None and alike:
        commands = "; ".join(f"ingest {shlex.quote(shown_path(path))} --sheet {shlex.quote(it)}" for it in alike)
        notes.append(f"{len(alike)} more sheets with the same columns are not read; load each of them: {commands}")
    if above := [" ".join(filter(None, row)) for row in texts[: header.row] if filled(row)]:
        notes.append(f"{header.row} rows above the header are skipped: {' / '.join(above)[:100]!r}")
    if not header.present:
        notes.append("the first row is data, so the columns are numbered")
    dialect = Dialect(
        format="workbook",
        compression=compression,
        encoding="",
        skip_rows=header.row,
        header=header.present,
        sheet=name,
    )
    unread = alike if wishes.sheet is None else ()
    return WorkbookTable(path, dialect, columns, notes, cells, header.row + header.present, unread)


def _columns(cells: Sequence[Sequence[Cell]], wishes: Wishes) -> tuple[list[list[str]], Header, Sequence[str]]:
    """Return the texts of the first rows of a sheet, where its header is, and its columns."""
    texts = [[_text(cell) for cell in row] for row in cells[:_ROWS_COMPARED]]
    header = find_header(texts, skip=wishes.skip_rows, present=wishes.header)
    width = max((_width(row) for row in cells[header.row :]), default=0)
    names = texts[header.row][:width] if header.present and header.row < len(texts) else []
    return texts, header, distinct(names + [""] * (width - len(names))) if header.present else _numbers(width)


def _has_columns(cells: Sequence[Sequence[Cell]], columns: Sequence[str], wishes: Wishes) -> bool:
    """Whether another sheet has these columns, in any order, and rows below them."""
    _, header, others = _columns(cells, wishes)
    has_rows = any(_width(row) for row in cells[header.row + 1 :])
    return header.present and has_rows and {*map(fold, others)} == {*map(fold, columns)}


def _sheets(path: Path, compression: Compression) -> Mapping[str, Sequence[Sequence[Cell]]]:
    with open_bytes(path, compression) as stream:
        data = stream.read(MAX_WORKBOOK + 1)
    if len(data) > MAX_WORKBOOK:
        raise FileError(path, f"is a workbook of more than {MAX_WORKBOOK >> 20} MB; save the sheet as CSV")
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        found = {
            sheet.name: workbook.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
            for sheet in workbook.sheets_metadata
            if sheet.visible is SheetVisibleEnum.Visible
        }
    except CalamineError as error:
        reason = " ".join(str(error).split())[:150]
        raise FileError(path, f"is a workbook that cannot be read ({reason}); save the sheet as CSV") from None
    if not found:
        raise FileError(path, "is a workbook without a visible sheet")
    return found


def _size(cells: Sequence[Sequence[Cell]]) -> int:
    """Return how many cells the table of a sheet fills; rows of text across one cell are no table."""
    counts = [sum(1 for cell in row if cell != "") for row in cells]
    return sum(count for count in counts if count > 1) or sum(counts) // 1_000 + (1 if any(counts) else 0)


def _width(row: Sequence[Cell]) -> int:
    return next((index for index in range(len(row), 0, -1) if row[index - 1] != ""), 0)


def _numbers(width: int) -> list[str]:
    return [str(number) for number in range(1, width + 1)]


def _text(cell: Cell) -> str:
    value = _value(cell)
    return "" if value is None else str(value)


def _value(cell: Cell) -> object:
    if isinstance(cell, str):
        return cell if cell.strip() else None
    # A workbook stores every number as a float.
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return int(cell)
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date()
    return cell
