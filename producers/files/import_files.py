"""What an import leaves for a person: a report on its rows, and the rows to correct, in one folder."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from producers.files.corrections import PROFILE, digest_of
from producers.files.errors import FileError
from producers.files.hospitals import HospitalFile
from producers.files.profile import write_profile
from producers.files.table import LINE_COLUMN, REASON_COLUMN, REJECT_COLUMNS, Dialect, RawRow
from worker.contract.imports import ReportEntry

_ROWS_AT_A_TIME = 10_000
_TO_CORRECT = frozenset(("rejected", "collision", "conflict"))
_REPORT_COLUMNS = ("line", "status", "hospital_id", "other_line", "field", "column", "stored", "given", "reason")


@dataclass(frozen=True, slots=True)
class ImportFiles:
    """The files that were written, and the number of entries in each; a file without any is not made."""

    report: Path | None
    entries: int
    rejects: Path | None
    rejected: int


async def write_import_files(
    file: HospitalFile, entries: AsyncIterator[ReportEntry], folder: Path, *, as_csv: bool = False
) -> ImportFiles:
    """Write the report of an import (`report.ndjson`, or with `as_csv` `report.csv`) and its rejected rows.

    `entries` are in the order of the file's lines. The folder is made if there is something to write; files of an
    earlier call for the same import are replaced, because they say the same. Rejected rows are in the file's own
    format if that is text (`rejects.csv`, `rejects.ndjson`), otherwise in CSV, with the columns `import_line` and
    `import_reason` besides, and beside them is the profile that they are read by when they are corrected. Raises
    `FileError` if they cannot be written.
    """
    originals = _OriginalRows(file)
    with ExitStack() as stack:
        report: _Report | None = None
        rejects: _Rejects | None = None
        written = rejected = 0
        try:
            async for entry in entries:
                row = await originals.find(entry)
                if report is None:
                    report = stack.enter_context(_Report(folder, as_csv=as_csv))
                original = _original_line(row) if row is not None else None
                report.write(entry, original)
                written += 1
                if entry.status in _TO_CORRECT and row is not None:
                    if rejects is None:
                        rejects = stack.enter_context(_Rejects(folder, file))
                    rejects.write(row, original or entry.line, "; ".join(entry.reasons))
                    rejected += 1
        except OSError as error:
            raise FileError(folder, f"the report of the import cannot be written: {error.strerror}") from None
    return ImportFiles(report.path if report else None, written, rejects.path if rejects else None, rejected)


class _OriginalRows:
    """The rows of the file that the entries of a report are on; asked for in the order of their lines."""

    def __init__(self, file: HospitalFile) -> None:
        self._file = file
        self._is_of_corrections = LINE_COLUMN in file.statistics
        self._rows: Iterator[RawRow] | None = None
        self._row: RawRow | None = None
        self._passed = 0

    async def find(self, entry: ReportEntry) -> RawRow | None:
        """Return the row of an entry, if what is written of the entry takes it. Raises `FileError`."""
        if entry.status not in _TO_CORRECT and not self._is_of_corrections:
            return None
        return self._file.rejected_row(entry.line) or await self._pass_to(entry.line)

    async def _pass_to(self, line: int) -> RawRow | None:
        if self._rows is None:
            self._rows = iter(self._file.raw_rows())
            self._row = next(self._rows, None)
        while self._row is not None and self._row.line < line:
            self._row = next(self._rows, None)
            self._passed += 1
            if self._passed % _ROWS_AT_A_TIME == 0:
                # Otherwise nothing could interrupt this while rows are passed over.
                await asyncio.sleep(0)
        return self._row if self._row is not None and self._row.line == line else None


class _Report:
    def __init__(self, folder: Path, *, as_csv: bool) -> None:
        self.path = folder / ("report.csv" if as_csv else "report.ndjson")
        self._as_csv = as_csv

    def __enter__(self) -> "_Report":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = self.path.open("w", encoding="utf-8", newline="")
        if self._as_csv:
            self._csv = csv.DictWriter(self._file, _REPORT_COLUMNS)
            self._csv.writeheader()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, entry: ReportEntry, original: int | None) -> None:
        """Write one entry: a line of JSON, or a line of CSV for each thing that it says."""
        if self._as_csv:
            self._csv.writerows(_lines(entry))
            return
        form = entry.model_dump(mode="json", exclude_defaults=True)
        if original is not None:
            form["original_line"] = original
        self._file.write(json.dumps(form, ensure_ascii=False) + "\n")


def _lines(entry: ReportEntry) -> Iterator[dict[str, Any]]:
    row = {
        "line": entry.line,
        "status": entry.status,
        "hospital_id": entry.hospital_id,
        "other_line": entry.other_line,
    }
    for reason in entry.reasons or ([] if entry.differences or entry.left_out else [""]):
        yield {**row, "reason": reason}
    for difference in entry.differences:
        yield {**row, "field": difference.field, "stored": difference.stored, "given": difference.given}
    for cell in entry.left_out:
        yield {**row, "field": cell.field, "column": cell.column, "given": cell.value, "reason": cell.reason}


class _Rejects:
    def __init__(self, folder: Path, file: HospitalFile) -> None:
        self._is_csv = file.dialect.format in ("csv", "workbook", "parquet")
        self.path = folder / ("rejects.csv" if self._is_csv else "rejects.ndjson")
        self._columns = [column for column in file.statistics if column not in REJECT_COLUMNS]
        self._read_from = list(dict.fromkeys(column for it in file.columns.mapped for column in it.columns))
        self._known = {*self._columns, *REJECT_COLUMNS}
        own = file.dialect.format == "csv"
        dialect = Dialect(
            format="csv" if self._is_csv else "ndjson",
            encoding=file.dialect.encoding if own else "utf-8",
            delimiter=file.dialect.delimiter if own else ",",
        )
        self._profile = replace(file.profile, dialect=dialect)
        self._unchanged: set[str] = set()

    def __enter__(self) -> "_Rejects":
        # What the encoding cannot write was not of it: a stray byte. It is shown by its number.
        dialect = self._profile.dialect
        self._write_profile()
        self._file: TextIO = self.path.open("w", encoding=dialect.encoding, errors="backslashreplace", newline="")
        if self._is_csv:
            self._csv = csv.writer(self._file, delimiter=dialect.delimiter)
            self._csv.writerow([LINE_COLUMN, REASON_COLUMN, *self._columns])
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._unchanged:
            self._write_profile()

    def _write_profile(self) -> None:
        profile = replace(self._profile, unchanged=frozenset(self._unchanged))
        write_profile(self.path.with_name(PROFILE), profile, of=f"{self.path.name}, rows of a list")

    def write(self, row: RawRow, line: int, reason: str) -> None:
        """Write one row with its line in the imported file and the reason why it was not applied."""
        surplus = self._surplus(row)
        # What is too long is rejected again by itself, until it is cut.
        if row.problem is not None and not surplus:
            whole = {self._columns[0] if self._is_csv else "text": row.text}
            self._unchanged.add(digest_of(row.fields if row.text is None else whole))
        if self._is_csv:
            # A line that could not be split into columns is kept whole, in the first one.
            cells = [row.text] if row.text is not None else [_cell(row.fields, it) for it in self._columns]
            self._csv.writerow([line, reason, *cells, *surplus])
            return
        # A column that none of the rows has would be gone from the list: that of the identifier may not be.
        missing = dict.fromkeys(column for column in self._read_from if column not in row.fields)
        fields = {"text": row.text} if row.text is not None else {**row.fields, **missing}
        form = {LINE_COLUMN: line, REASON_COLUMN: reason, **fields}
        self._file.write(json.dumps(form, ensure_ascii=False, default=str) + "\n")

    def _surplus(self, row: RawRow) -> list[object]:
        """Return the cells of a row that is too long, beyond the last column, where a person sees them."""
        if row.problem is None:
            return []
        return [cell for column, cell in row.fields.items() if column not in self._known]


def _cell(fields: Mapping[str, object], column: str) -> object:
    value = fields.get(column)
    return "" if value is None else value


def _original_line(row: RawRow) -> int | None:
    """Return the line that a corrected row had in the file that it was rejected from."""
    text = str(row.fields.get(LINE_COLUMN, ""))
    return int(text) if text.isascii() and text.isdigit() else None
