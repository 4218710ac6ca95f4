"""A file of hospitals: every row either a validated record or the reasons why not."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from producers.files.columns import Columns
from producers.files.errors import FileError
from producers.files.opening import Survey, open_text, reading, survey
from producers.files.readers import CsvReader, FileFormat, NdjsonReader, RawRow
from producers.files.values import record_values
from worker.contract import HospitalRecord
from worker.contract.fields import Source
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# Rows of JSON whose names are taken together before the first is mapped: fields may be absent from some.
_ROWS_LOOKED_AT = 100
_LOOKED_AT_FOR_FORMAT = 4_096


@dataclass(slots=True)
class FileRow:
    """One row: its first line in the file, the record, or the reasons why it is none, and its raw form.

    `fields` are the row's values by column; `text` is the line itself when it has no columns.
    """

    line: int
    record: HospitalRecord | None
    reasons: tuple[str, ...]
    fields: Mapping[str, Any]
    text: str | None


class HospitalFile:
    """A CSV or NDJSON file of hospitals, gzip or not, read in constant memory. Build it with `open`."""

    def __init__(self, surveyed: Survey, file_format: FileFormat, columns: Columns) -> None:
        self.path = surveyed.path
        self.encoding = surveyed.encoding
        self.lines = surveyed.lines
        self.format = file_format
        self.columns = columns
        self._survey = surveyed

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
        """Look through the file at `path` and find out how to read it.

        `mapping` goes from record field to column. Raises `FileError` for a file that cannot be read, holds
        no rows, or has no column for the hospital's name.
        """
        if source is not None and not _is_source(source):
            raise FileError(
                path, f"--source {source!r} is no source's name: small letters, digits and . _ - such as cms"
            )
        surveyed = survey(path, encoding)
        with reading(path), open_text(surveyed) as text:
            head = text.read(_LOOKED_AT_FOR_FORMAT).lstrip("\ufeff \t\r\n")
        if file_format is None and head.startswith("["):
            raise FileError(
                path,
                "looks like a JSON array; put one object on each line (jq -c '.[]'), or say --format csv",
            )
        file_format = file_format or ("ndjson" if head.startswith("{") else "csv")
        columns = Columns(path, mapping=mapping or {}, source=source, nested=file_format == "ndjson")
        with reading(path), _open_rows(surveyed, file_format) as rows:
            # The names and not the rows: a hundred rows of the longest kind are gigabytes of objects.
            names: dict[str, None] = {}
            empty = True
            for row in islice(rows, _ROWS_LOOKED_AT):
                names.update(dict.fromkeys(row.fields))
                empty = False
            if isinstance(rows, CsvReader):
                columns.begin(rows.columns)
            elif names:
                columns.begin(list(names))
        if empty:
            raise FileError(path, "has a header and no rows" if file_format == "csv" else "holds no rows")
        return cls(surveyed, file_format, columns)

    def rows(self) -> Iterator[FileRow]:
        """Yield every row that is not blank. Raises `FileError` when reading fails half way."""
        with reading(self.path), _open_rows(self._survey, self.format) as rows:
            for raw in rows:
                yield self._checked(raw)

    def _checked(self, raw: RawRow) -> FileRow:
        if raw.problem is not None:
            return FileRow(raw.line, None, (raw.problem,), raw.fields, raw.text)
        if self.format == "ndjson" and self.columns.unknown(raw.fields):
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
                reasons.insert(0, f"holds bytes that are not {self.encoding}")
            return FileRow(raw.line, None, tuple(reasons), raw.fields, None)
        return FileRow(raw.line, record, (), raw.fields, None)


def _is_source(source: str) -> bool:
    try:
        TypeAdapter(Source).validate_python(source)
    except ValidationError:
        return False
    return True


@contextmanager
def _open_rows(surveyed: Survey, file_format: FileFormat) -> Iterator[CsvReader | NdjsonReader]:
    with open_text(surveyed) as text:
        yield CsvReader(text) if file_format == "csv" else NdjsonReader(text)


def _has_undecodable_bytes(fields: Mapping[str, Any]) -> bool:
    return any(
        "\ud800" <= character <= "\udfff" for text in fields.values() if isinstance(text, str) for character in text
    )
