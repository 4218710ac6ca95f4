"""Writes tables as files. It shares nothing with the readers that it is there to test."""

import bz2
import gzip
import io
import json
import lzma
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@dataclass(frozen=True, kw_only=True)
class Delimited:
    """How a delimited text is written. `titles` are the rows above the header, `sep` says that Excel's line is."""

    delimiter: str
    line_end: str
    quote_all: bool = False
    sep: bool = False
    titles: Sequence[str] = ()
    padded: bool = False
    ends_with_line_end: bool = True

    def text(self, header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> str:
        """Return the text of a table; `header` is None if it has none."""
        lines = [f"sep={self.delimiter}"] if self.sep else []
        padding = [""] * (len(rows[0]) - 1 if self.padded else 0)
        lines += [self._line([title, *padding]) for title in self.titles]
        lines += map(self._line, [*([header] if header is not None else []), *rows])
        return self.line_end.join(lines) + (self.line_end if self.ends_with_line_end else "")

    def _line(self, cells: Sequence[str]) -> str:
        return self.delimiter.join(map(self._cell, cells))

    def _cell(self, cell: str) -> str:
        special = any(sign in cell for sign in (self.delimiter, '"', "\n", "\r")) or cell != cell.strip()
        return '"' + cell.replace('"', '""') + '"' if special or (self.quote_all and cell) else cell


def ndjson(records: Sequence[Mapping[str, Any]], *, ascii_only: bool) -> str:
    """Return one object on each line."""
    return "".join(_json(record, ascii_only) + "\n" for record in records)


def json_text(
    records: Sequence[Mapping[str, Any]], within: Sequence[str], *, ascii_only: bool, indent: bool
) -> str:
    """Return an array of objects, inside of objects with these keys."""
    document: Any = records
    for key in reversed(within):
        document = {"generated": "2026-01-01", key: document}
    return _json(document, ascii_only, 1 if indent else None)


def geojson(
    records: Sequence[Mapping[str, Any]], positions: Sequence[Any], *, ascii_only: bool, lines: bool
) -> str:
    """Return a collection of features, or one feature on each line; a position is (longitude, latitude) or None."""
    features = [
        {
            "type": "Feature",
            "properties": record,
            "geometry": None if position is None else {"type": "Point", "coordinates": list(position)},
        }
        for record, position in zip(records, positions, strict=True)
    ]
    if lines:
        return "".join(_json(feature, ascii_only) + "\n" for feature in features)
    return _json({"type": "FeatureCollection", "features": features}, ascii_only)


def workbook(titles: Sequence[str], header: Sequence[str] | None, rows: Sequence[Sequence[Any]]) -> bytes:
    """Return an Excel workbook of one sheet."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [*([title] for title in titles), *([header] if header is not None else []), *rows]:
        sheet.append([_excel(cell) for cell in row])
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _excel(cell: Any) -> Any:
    if isinstance(cell, dict):
        return ", ".join(map(str, cell.values()))
    return None if cell == "" else cell


def zipped(data: bytes) -> bytes:
    """Return a ZIP archive with one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lists/hospitals", data)
    return stream.getvalue()


COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "zip": zipped,
}


def _json(value: Any, ascii_only: bool, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, indent=indent, default=str)
