"""Reads the records of one JSON or GeoJSON document, streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import ijson

from producers.files.detection.headers import find_header
from producers.files.detection.json_columns import rows_of_columns
from producers.files.detection.json_shapes import Shape, reason_of
from producers.files.errors import FileError
from producers.files.readers.nested_lists import name_of_list, records_within
from producers.files.readers.python_json import Readable
from producers.files.readers.records import feature_row, flattened, is_feature
from producers.files.readers.text import TextSource
from producers.files.table import Dialect, RawRow

_RECORDS_COMPARED = 200
# The name of the column with the keys, where the records are the values of an object.
KEY = "key"
# That of the key above it, if the object that has the keys is the document itself.
GROUP = "group"


@dataclass(frozen=True, slots=True)
class JsonDocumentTable:
    """A JSON document with records in an array, in several, in an object, or one after the other.

    `unread` are other lists that look like the one that is read, if nobody has chosen it.
    """

    source: TextSource
    dialect: Dialect
    shape: Shape
    columns: Sequence[str]
    notes: Sequence[str]
    locates: bool = True
    unread: Sequence[str] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def lines(self) -> int:
        """The number of records."""
        return self.shape.count

    def rows(self) -> Iterator[RawRow]:
        """Yield every record, numbered from 1. Raises `FileError` if reading fails part-way."""
        return read_records(self.source, self.shape, locate=self.locates)


def read_records(source: TextSource, shape: Shape, *, locate: bool = True) -> Iterator[RawRow]:
    """Yield the records of a document of this shape. `locate` says that its coordinates are of WGS 84."""
    names = list(shape.names)
    try:
        for number, record in enumerate(_records(source, shape), 1):
            if shape.layout == "rows" and isinstance(record, list):
                if not names:
                    names = [str(name) for name in record]
                    continue
                if len(record) != len(names):
                    problem = f"has {len(record)} values, but there are {len(names)} columns"
                    yield RawRow(number, {}, str(record)[:2_000], problem)
                    continue
                yield RawRow(number, flattened(dict(zip(names, record, strict=True))))
            elif not isinstance(record, dict):
                yield RawRow(number, {}, str(record)[:2_000], "not a JSON object")
            elif is_feature(record):
                yield RawRow(number, feature_row(record, locate=locate))
            else:
                yield RawRow(number, flattened(record))
    except ijson.JSONError as error:
        raise FileError(source.path, f"is broken JSON ({reason_of(error)})") from None


def numbered_if_data(source: TextSource, shape: Shape, *, header: bool | None) -> Shape:
    """Return the shape with numbers as names of columns if the records are lists and the first is data.

    `header` is what the user has said of it.
    """
    if shape.layout != "rows" or shape.names:
        return shape
    first = [record for record in islice(_records(source, shape), _RECORDS_COMPARED) if isinstance(record, list)]
    cells = [["" if cell is None else str(cell) for cell in record] for record in first]
    has_numbers = bool(first) and any(isinstance(cell, int | float) for cell in first[0])
    if not first or find_header(cells, skip=0, present=False if header is None and has_numbers else header).present:
        return shape
    return replace(shape, names=[str(number) for number in range(1, len(first[0]) + 1)])


def _records(source: TextSource, shape: Shape) -> Iterator[object]:
    if shape.layout == "columns":
        yield from rows_of_columns(source, shape.records)
        return
    with source.open_utf8() as stream:
        if shape.layout == "map":
            prefix = shape.records.removesuffix("*").removesuffix(".")
            if prefix.endswith("*"):
                yield from _of_groups(stream, prefix.removesuffix("*").removesuffix("."))
                return
            for key, record in ijson.kvitems(stream, prefix, use_float=True, multiple_values=True):
                yield {KEY: key} | record if isinstance(record, dict) else record
            return
        if shape.layout == "nested":
            first, *steps = (part.removeprefix(".") for part in shape.records.split("[]"))
            keys = [name_of_list(part) for part in (first, *steps)]
            outer = ijson.items(stream, f"{first}.item".lstrip("."), use_float=True, multiple_values=True)
            yield from records_within(outer, keys, steps)
            return
        prefix = "" if shape.layout == "values" else f"{shape.records}.item".lstrip(".")
        yield from ijson.items(stream, prefix, use_float=True, multiple_values=True)


def _of_groups(stream: Readable, prefix: str) -> Iterator[object]:
    """Yield the records under the keys of each object at `prefix`, with the key of the object as well."""
    above = prefix.rpartition(".")[2] or GROUP
    for group, records in ijson.kvitems(stream, prefix, use_float=True, multiple_values=True):
        for key, record in records.items() if isinstance(records, dict) else ((group, records),):
            yield {above: group, KEY: key} | record if isinstance(record, dict) else record
