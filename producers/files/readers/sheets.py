"""The cells of a workbook as a person sees them: with the zeros of number formats, and merged cells filled."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from producers.files.detection.compression import open_bytes
from producers.files.errors import FileError
from producers.files.readers.spreadsheet_parts import CellFacts, Range
from producers.files.readers.spreadsheet_xml import SpreadsheetXml
from producers.files.table import Compression

MAX_WORKBOOK = 1 << 28
"""The most bytes of a workbook: 256 MB, which is several million cells."""
Cell = int | float | str | bool | time | date | datetime | timedelta


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its cells by row, its merged ranges, how many formulas have no result, which rows are hidden."""

    cells: list[list[Cell]]
    merged: Sequence[Range] = ()
    is_hidden: bool = False
    without_result: int = 0
    hidden_rows: Sequence[int] = ()

    def fill_merged(self, first: int, columns: Iterable[int]) -> set[int]:
        """Give all rows of a merged range its value, and return the indexes of the columns where that was done.

        Only ranges that begin at or below the row `first`, each in its first column, if that is one of `columns`: a
        title across many columns is not a value of each.
        """
        wanted = set(columns)
        done: dict[int, int] = {}
        for (top, left), (bottom, _) in sorted(self.merged):
            last = min(bottom, len(self.cells) - 1)
            if top < first or left not in wanted or last <= top or left >= len(self.cells[top]):
                continue
            value = self.cells[top][left]
            # Ranges of a sheet do not overlap; a workbook that says so anyway is not filled twice.
            for row in self.cells[max(top + 1, done.get(left, 0)) : last + 1]:
                if left < len(row) and row[left] == "":
                    row[left] = value
            done[left] = max(last + 1, done.get(left, 0))
        return {*done}


def read_sheets(path: Path, compression: Compression, wish: str | None, rows_of_hidden: int) -> dict[str, Sheet]:
    """Return the sheets of a workbook; of a hidden one only the first rows, unless it is the one that is wished.

    Raises `FileError` for a workbook that cannot be read or has no visible sheet.
    """
    with open_bytes(path, compression) as stream:
        data = stream.read(MAX_WORKBOOK + 1)
    if len(data) > MAX_WORKBOOK:
        raise FileError(path, f"is a workbook of more than {MAX_WORKBOOK >> 20} MB; save the sheet as CSV")
    xml = SpreadsheetXml(data)
    found: dict[str, Sheet] = {}
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for about in workbook.sheets_metadata:
            if about.typ is SheetTypeEnum.WorkSheet:
                is_hidden = about.visible is not SheetVisibleEnum.Visible
                most = rows_of_hidden if is_hidden and about.name != wish else None
                sheet = workbook.get_sheet_by_name(about.name)
                found[about.name] = _sheet(sheet, xml.facts(about.name), most, is_hidden=is_hidden)
    except CalamineError as error:
        reason = " ".join(str(error).split())[:150]
        raise FileError(path, f"is a workbook that cannot be read ({reason}); save the sheet as CSV") from None
    if all(sheet.is_hidden for sheet in found.values()):
        raise FileError(path, "is a workbook without a visible sheet")
    return found


def _sheet(sheet: CalamineSheet, facts: CellFacts, most: int | None, *, is_hidden: bool) -> Sheet:
    cells = sheet.to_python(skip_empty_area=False, nrows=most)
    for row, column, number_format in facts.formatted:
        if row < len(cells) and column < len(cells[row]):
            cell = cells[row][column]
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                cells[row][column] = number_format.shown(cell)
    merged = sheet.merged_cell_ranges or facts.merged
    return Sheet(cells, merged, is_hidden, facts.without_result, facts.hidden_rows)
