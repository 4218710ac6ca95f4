"""Reads NDJSON: one JSON object, or one GeoJSON feature, on each line."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson

from producers.files.lines import MAX_ROW_LENGTH, NumberedLines, RowTooLong
from producers.files.readers.python_json import PlainJson
from producers.files.readers.records import feature_row, flattened, is_feature
from producers.files.readers.text import TextSource, repair, shortened, without_surrogates
from producers.files.table import Dialect, RawRow

_SAFE_BRACKETS = 200
_MOST_EXACT = 1e18
# Sequences of GeoJSON features begin each line with it (RFC 8142).
_RECORD_SEPARATOR = "\x1e"
REJECT_KEYS = frozenset(("line", "reasons", "row"))
REJECT_TEXT_KEYS = frozenset(("line", "reasons", "text"))


@dataclass(frozen=True, slots=True)
class JsonLinesTable:
    """A text with one JSON object on each line."""

    source: TextSource
    dialect: Dialect
    columns: Sequence[str]
    notes: Sequence[str]

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def lines(self) -> int:
        """The number of physical lines."""
        return self.source.encoding.lines

    def rows(self) -> Iterator[RawRow]:
        """Yield every line that is not blank. Raises `FileError` if reading fails part-way."""
        with self.source.open() as text:
            for row in read_lines(text):
                if self.source.encoding.strays:
                    row.fields, row.repaired = repair(row.fields)
                yield row


def read_lines(text: TextIO) -> Iterator[RawRow]:
    """Yield the lines of a text that are not blank.

    A line of a rejects file is read as the row in it, because users correct such files and load them again.
    """
    lines = NumberedLines(text)
    while True:
        lines.begin_row()
        try:
            line = next(lines).lstrip(_RECORD_SEPARATOR)
            # A line with nothing but a byte order mark is empty here.
            if not line or line.isspace():
                continue
            fields = _parsed(without_surrogates(line))
        except StopIteration:
            return
        except RowTooLong:
            yield _invalid(lines, f"longer than {MAX_ROW_LENGTH} characters")
            continue
        except orjson.JSONDecodeError as error:
            yield _invalid(lines, f"not JSON: {error}")
            continue
        if not isinstance(fields, dict):
            yield _invalid(lines, "not a JSON object")
        elif _is_too_deep(line, fields):
            yield _invalid(lines, "nested too deeply")
        else:
            yield _row(lines.first_number, fields)


def _parsed(line: str) -> Any:
    """Return what a line says. Raises `orjson.JSONDecodeError` if it is not JSON."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        end = line.rstrip()
        without_comma = end.removesuffix(",").rstrip()
        if without_comma.endswith("}") and end.endswith(","):
            # Of a list without its brackets.
            return _parsed(without_comma)
        if "NaN" not in line and "Infinity" not in line:
            raise
        return orjson.loads(_plain(line))
    if isinstance(found, dict):
        # Of integers over 64 bits orjson makes numbers without their last digits. A loop is the fastest here.
        for value in found.values():
            if type(value) is float and (value >= _MOST_EXACT or value <= -_MOST_EXACT):
                return orjson.loads(_plain(line))
    return found


def _plain(line: str) -> bytes:
    return PlainJson(io.BytesIO(line.encode("utf-8", "surrogatepass"))).read()


def _row(number: int, fields: dict[str, Any]) -> RawRow:
    if fields.keys() == REJECT_KEYS and isinstance(fields["row"], dict):
        return RawRow(number, fields["row"])
    if fields.keys() == REJECT_TEXT_KEYS:
        return RawRow(number, {}, str(fields["text"]), "rejected earlier as text: put its values under 'row'")
    return RawRow(number, feature_row(fields, locate=True) if is_feature(fields) else flattened(fields))


def _invalid(lines: NumberedLines, problem: str) -> RawRow:
    return RawRow(lines.first_number, {}, shortened(lines.first_line), problem)


def _is_too_deep(line: str, fields: dict[str, Any]) -> bool:
    # orjson reads 1,024 levels but writes 254, and a rejected row must be written.
    if line.count("[") + line.count("{") <= _SAFE_BRACKETS:
        return False
    try:
        orjson.dumps(fields)
    except orjson.JSONEncodeError:
        return True
    return False
