"""A file of hospitals: each row is a validated record, or the reasons why it is invalid."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from producers.files.errors import FileError
from producers.files.known_columns import Columns
from producers.files.opening import Survey, open_text, reading, survey
from producers.files.readers import CsvReader, FileFormat, NdjsonReader, RawRow
from producers.files.values import record_values
from worker.contract import HospitalRecord
from worker.contract.fields import Source
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# JSON rows whose field names are collected before the first row is mapped, because a row may omit fields.
_ROWS_SAMPLED = 100
_CHARACTERS_SAMPLED_FOR_FORMAT = 4_096


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
    """A CSV or NDJSON file of hospitals, gzipped or not, read in constant memory. Create it with `open`."""

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
        """Read through the file at `path` once and detect its format.

        `mapping` maps record fields to columns. Raises `FileError` for a file that cannot be read, has no rows, or
        has no column for the hospital's name.
        """
        if source is not None and not _is_source(source):
            raise FileError(
                path,
                f"--source {source!r} is not a valid source: use lowercase letters, digits and . _ - as in cms",
            )
        surveyed = survey(path, encoding)
        with reading(path), open_text(surveyed) as text:
            head = text.read(_CHARACTERS_SAMPLED_FOR_FORMAT).lstrip("\ufeff \t\r\n")
        if file_format is None and head.startswith("["):
            raise FileError(
                path,
                "looks like a JSON array; put one object on each line (jq -c '.[]'), or give --format csv",
            )
        file_format = file_format or ("ndjson" if head.startswith("{") else "csv")
        columns = Columns(path, mapping=mapping or {}, source=source, nested=file_format == "ndjson")
        with reading(path), _open_rows(surveyed, file_format) as rows:
            # Only the names are kept: a hundred rows of the maximum length would be gigabytes of objects.
            names: dict[str, None] = {}
            empty = True
            for row in islice(rows, _ROWS_SAMPLED):
                names.update(dict.fromkeys(row.fields))
                empty = False
            if isinstance(rows, CsvReader):
                columns.begin(rows.columns)
            elif names:
                columns.begin(list(names))
        if empty:
            raise FileError(path, "has a header but no rows" if file_format == "csv" else "contains no rows")
        return cls(surveyed, file_format, columns)

    def rows(self) -> Iterator[FileRow]:
        """Yield every row that is not blank. Raises `FileError` if reading fails part-way."""
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
                reasons.insert(0, f"contains bytes that are not {self.encoding}")
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
