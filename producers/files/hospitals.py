"""A file of hospitals: each row is a validated record, or the reasons why it is invalid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from producers.files.columns import Columns
from producers.files.errors import FileError
from producers.files.opening import open_table
from producers.files.table import FileFormat, RawRow, Table, Wishes
from producers.files.values import record_values
from worker.contract import HospitalRecord
from worker.contract.fields import Source
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# In these formats each row may have columns of its own, and objects as values.
_NESTED: tuple[FileFormat, ...] = ("ndjson", "json", "geojson", "parquet")


@dataclass(slots=True)
class FileRow:
    """One row: the number of its first line, its record or the reasons why it has none, and its raw form.

    `fields` are the row's values by column; `text` is the line itself if it could not be split into columns.
    """

    line: int
    record: HospitalRecord | None
    reasons: tuple[str, ...]
    fields: Mapping[str, Any]
    text: str | None


class HospitalFile:
    """A file of hospitals in any format that `open_table` reads. Create it with `open`."""

    def __init__(self, table: Table, columns: Columns) -> None:
        self.path = table.path
        self.encoding = table.dialect.encoding
        self.lines = table.lines
        self.format = table.dialect.format
        self.columns = columns
        self._table = table

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        source: str | None = None,
        mapping: Mapping[str, str] | None = None,
        encoding: str | None = None,
        file_format: FileFormat | None = None,
    ) -> "HospitalFile":
        """Read through the file at `path` once and detect its format.

        `mapping` maps record fields to columns. Raises `FileError` for a file that cannot be read, has no rows, or
        has no column for the hospital's name.
        """
        if source is not None and not _is_source(source):
            raise FileError(
                path,
                f"--source {source!r} is not a valid source: use lowercase letters, digits and . _ - as in cms",
            )
        table = open_table(path, Wishes(encoding=encoding, format=file_format))
        nested = table.dialect.format in _NESTED
        columns = Columns(path, mapping=mapping or {}, source=source, nested=nested)
        if table.columns:
            columns.begin(table.columns)
        return cls(table, columns)

    def rows(self) -> Iterator[FileRow]:
        """Yield every row that is not blank. Raises `FileError` if reading fails part-way."""
        for raw in self._table.rows():
            yield self._checked(raw)

    def _checked(self, raw: RawRow) -> FileRow:
        if raw.problem is not None:
            return FileRow(raw.line, None, (raw.problem,), raw.fields, raw.text)
        if self.format in _NESTED and self.columns.unknown(raw.fields):
            self.columns.learn(raw.fields)
        values, problems = record_values(raw.fields, self.columns.plan)
        values.update(self.columns.constants)
        record = None
        try:
            record = parse(HospitalRecord, values)
        except InvalidPayload as error:
            problems += error.problems
        if problems:
            reasons = [str(problem) for problem in problems]
            if _has_undecodable_bytes(raw.fields):
                reasons.insert(0, f"contains bytes that are not {self.encoding}")
            return FileRow(raw.line, None, tuple(reasons), raw.fields, None)
        return FileRow(raw.line, record, (), raw.fields, None)


def _is_source(source: str) -> bool:
    try:
        TypeAdapter(Source).validate_python(source)
    except ValidationError:
        return False
    return True


def _has_undecodable_bytes(fields: Mapping[str, Any]) -> bool:
    return any(
        "\ud800" <= character <= "\udfff" for text in fields.values() if isinstance(text, str) for character in text
    )
