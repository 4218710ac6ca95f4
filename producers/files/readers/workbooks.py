"""Reads a sheet of an Excel or OpenDocument workbook (xlsx, xlsm, xls, xlsb, ods).

A workbook cannot be streamed: the memory that is needed grows with the rows of the sheet.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path

from producers.files.alike import cells_alike, names_alike
from producers.files.columns.names import fields_by_name
from producers.files.detection.grouped_headers import Names, names_of
from producers.files.detection.headers import Header, distinct, filled, find_header
from producers.files.errors import FileError
from producers.files.parts import Evidence, evidence, is_of_others, name_column, newest
from producers.files.readers.sheets import Cell, Sheet, read_sheets
from producers.files.spooling import shown_path
from producers.files.table import Compression, Dialect, RawRow, Wishes

_ROWS_COMPARED = 200


@dataclass(frozen=True, slots=True)
class WorkbookTable:
    """One sheet of a workbook, in memory. `first` is the index of the first row below the header.

    `others` are the names of the other sheets that are not empty.

    `unread` are the names of other sheets that look like the same list, if nobody has said which sheet to read: one
    list may be in several sheets, such as one of each region.
    """

    path: Path
    dialect: Dialect
    columns: Sequence[str]
    notes: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    first: int
    unread: Sequence[str] = ()
    others: Sequence[str] = ()

    @property
    def lines(self) -> int:
        """The number of rows of the sheet."""
        return len(self.cells)

    def named_in(self, problem: str) -> str:
        """Return what is wrong with the rows, with the sheet that they are from and the others."""
        found = f"{problem}; this is its sheet {self.dialect.sheet!r}"
        if self.others:
            found += f", --sheet chooses another: {', '.join(map(repr, self.others[:10]))}"
        return found

    def rows(self) -> Iterator[RawRow]:
        """Yield every row that is not blank."""
        for number, cells in enumerate(self.cells[self.first :], self.first + 1):
            values = [_value(cell) for cell in cells[: len(self.columns)]]
            if any(value is not None for value in values):
                yield RawRow(number, dict(zip(self.columns, values, strict=False)))


def open_workbook(path: Path, compression: Compression, wishes: Wishes) -> WorkbookTable:
    """Return the sheet that the user has named, or the one that seems to be the list of hospitals.

    Raises `FileError`.
    """
    sheets = read_sheets(path, compression, wishes.sheet, _ROWS_COMPARED)
    name = _chosen(path, sheets, wishes)
    cells = sheets[name].cells
    texts, header, named, columns = _columns(cells, wishes)
    first = named.row + named.rows
    alike = () if wishes.is_part_chosen else _alike(sheets, name, columns, wishes)
    notes = _notes_on_sheets(path, sheets, name, alike)
    if above := [" ".join(filter(None, row)) for row in texts[: named.row] if filled(row)]:
        notes.append(f"{named.row} rows above the header are skipped: {' / '.join(above)[:100]!r}")
    if not header.present:
        notes.append("the first row is data, so the columns are numbered")
    notes += named.notes
    # A number of beds for several hospitals together is that of none of them.
    single = [at for at, column in enumerate(columns) if "beds" not in fields_by_name(column)]
    if merged := sheets[name].fill_merged(first, single):
        shown = ", ".join(repr(columns[at]) for at in sorted(merged))
        notes.append(f"merged cells are read as the value of each of their rows: {shown}")
    if without := sheets[name].without_result:
        notes.append(
            f"{without:,} formulas have no result in the file, so their cells are empty; "
            "open it in a spreadsheet program and save it, or export it as CSV"
        )
    hidden = [row for row in sheets[name].hidden_rows if first <= row < len(cells) and any(map(_text, cells[row]))]
    if hidden:
        notes.append(
            f"rows that are hidden in the sheet, as by a filter, are read like the others: {len(hidden):,}, "
            f"first row {hidden[0] + 1}; delete them there if they are not hospitals"
        )
    dialect = Dialect(
        format="workbook",
        compression=compression,
        encoding="",
        skip_rows=named.row,
        header=header.present,
        sheet=name,
        is_part_chosen=wishes.is_part_chosen,
    )
    others = [other for other, sheet in sheets.items() if other != name and _size(sheet.cells)]
    return WorkbookTable(path, dialect, columns, notes, cells, first, alike, others)


def _chosen(path: Path, sheets: Mapping[str, Sheet], wishes: Wishes) -> str:
    if wishes.sheet is not None and wishes.sheet not in sheets:
        raise FileError(path, f"has no sheet {wishes.sheet!r}; its sheets are {', '.join(map(repr, sheets))}")
    name = wishes.sheet or _list_of_hospitals(path, sheets, wishes)
    if not _size(sheets[name].cells):
        raise FileError(path, f"its sheet {name!r} contains no rows")
    return name


def _list_of_hospitals(path: Path, sheets: Mapping[str, Sheet], wishes: Wishes) -> str:
    """Return the visible sheet for which most speaks; of sheets alike the newest, or the one with most cells."""
    visible = {name: sheet for name, sheet in sheets.items() if not sheet.is_hidden}
    filled_sheets = [name for name, sheet in visible.items() if _size(sheet.cells)] or [*visible]
    if len(filled_sheets) == 1:
        return filled_sheets[0]
    found = {name: _evidence(name, visible[name].cells, wishes) for name in filled_sheets}
    most = max(found.values())
    if most is Evidence.OF_OTHERS:
        raise FileError(
            path,
            f"none of its sheets seems to be a list of hospitals: {', '.join(map(repr, filled_sheets[:10]))}; "
            "if one is, name it with --sheet",
        )
    best = [name for name, it in found.items() if it is most]
    are_years = all(map(newest, best))
    return max(best, key=lambda name: (newest(name) if are_years else 0, _size(visible[name].cells)))


def _evidence(name: str, cells: Sequence[Sequence[Cell]], wishes: Wishes) -> Evidence:
    _, header, named, columns = _columns(cells, wishes)
    body = _body(cells, named)
    if not (header.present and body):
        return Evidence.NO_NAMES
    at = name_column(columns)
    return evidence(name, columns, [] if at is None else [row[at] for row in body if at < len(row)])


def _alike(sheets: Mapping[str, Sheet], name: str, columns: Sequence[str], wishes: Wishes) -> Sequence[str]:
    """Return the names of the sheets that go on with the list of this one, or are another list of hospitals."""
    cells = sheets[name].cells
    anew = replace(wishes, skip_rows=None, header=None)
    ours = _evidence(name, cells, wishes)
    found = []
    for other, it in sheets.items():
        if other == name or not _size(it.cells):
            continue
        theirs = _evidence(other, it.cells, anew)
        is_list = not it.is_hidden and theirs is ours >= Evidence.FIELDS
        # Departments may have all columns of their hospitals, and repeat their names.
        is_of_them = theirs > Evidence.NO_NAMES or not is_of_others(other)
        if is_list or (is_of_them and _goes_on(cells, columns, it.cells, wishes)):
            found.append(other)
    return found


def _goes_on(
    cells: Sequence[Sequence[Cell]], columns: Sequence[str], others: Sequence[Sequence[Cell]], wishes: Wishes
) -> bool:
    """Whether another sheet has rows below alike columns, or looks alike if one of the two has no header."""
    _, header, named, _ = _columns(cells, wishes)
    # Where the header of one sheet is says nothing of another.
    _, other_header, other_named, other_columns = _columns(others, replace(wishes, skip_rows=None, header=None))
    if not _body(others, other_named):
        return False
    if header.present and other_header.present:
        return names_alike(columns, other_columns)
    return cells_alike(_body(cells, named), _body(others, other_named))


def _body(cells: Sequence[Sequence[Cell]], named: Names) -> Sequence[Sequence[Cell]]:
    """Return the first rows below the names of the columns, from the first that is not blank on."""
    first = next((at for at in range(named.row + named.rows, len(cells)) if _width(cells[at])), len(cells))
    return cells[first : first + _ROWS_COMPARED]


def _notes_on_sheets(path: Path, sheets: Mapping[str, Sheet], name: str, alike: Sequence[str]) -> list[str]:
    others = [other for other, sheet in sheets.items() if other != name and _size(sheet.cells)]
    visible = [other for other in others if not sheets[other].is_hidden]
    hidden = [other for other in others if sheets[other].is_hidden]
    notes = [f"sheet {name!r} is read"] if len(sheets) > 1 else []
    if visible:
        notes[0] += f"; --sheet chooses another: {', '.join(map(repr, visible[:10]))}"
    if hidden:
        notes.append(f"hidden sheets are not read: {', '.join(map(repr, hidden[:10]))}; --sheet chooses one")
    if alike:
        commands = "; ".join(f"ingest {shlex.quote(shown_path(path))} --sheet {shlex.quote(it)}" for it in alike)
        notes.append(
            f"more sheets look like this list and are not read ({len(alike)}); load each of them: {commands}"
        )
    return notes


def _columns(
    cells: Sequence[Sequence[Cell]], wishes: Wishes
) -> tuple[list[list[str]], Header, Names, Sequence[str]]:
    """Return the texts of the first rows of a sheet, its header, the names in it, and its columns."""
    texts = [[_text(cell) for cell in row] for row in cells[:_ROWS_COMPARED]]
    header = find_header(texts, skip=wishes.skip_rows, present=wishes.header)
    width = max((_width(row) for row in cells[header.row :]), default=0)
    if not header.present:
        return texts, header, Names((), header.row, 0), _numbers(width)
    named = names_of(texts, header, above=wishes.skip_rows is None)
    names = list(named.names[:width])
    return texts, header, named, distinct(names + [""] * (width - len(names)))


def _size(cells: Sequence[Sequence[Cell]]) -> int:
    """Return how many cells the table of a sheet fills; rows of text across one cell are not a table."""
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
