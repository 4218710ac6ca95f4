"""Opens a file of rows: finds out what its bytes are and returns the reader for them."""

import io
import re
import shlex
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from producers.files.detection.candidates import UNLIKELY, UNUSUAL
from producers.files.detection.compression import (
    archive_of,
    compression_by,
    compression_of,
    members,
    name_of,
    open_bytes,
    reading,
)
from producers.files.detection.delimiters import Marks, find_marks, split_rows
from producers.files.detection.encodings import detect_encoding
from producers.files.detection.fixed_width import refuse_fixed_width
from producers.files.detection.foreign import foreign_archive, foreign_kind, is_old_workbook
from producers.files.detection.grouped_headers import names_of
from producers.files.detection.headers import distinct, filled, find_header
from producers.files.detection.json_kinds import is_json, is_ndjson
from producers.files.detection.json_shapes import Shape, find_records
from producers.files.detection.other_notations import other_notation
from producers.files.detection.wide_rows import refuse_wide_rows
from producers.files.errors import FileError
from producers.files.readers.delimited import DelimitedTable, read_rows
from producers.files.readers.extra_cells import ExtraCells
from producers.files.readers.json_documents import JsonDocumentTable, numbered_if_data, read_records
from producers.files.readers.json_lines import JsonLinesTable, read_lines
from producers.files.readers.parquet import open_parquet
from producers.files.readers.text import TextSource
from producers.files.readers.workbooks import open_workbook
from producers.files.spooling import shown_path
from producers.files.systems import is_wgs_84
from producers.files.table import LINE_COLUMN, Compression, Dialect, FileFormat, RawRow, Table, Wishes

_HEAD = 1 << 16
_PART_OF_WORKBOOK = re.compile(rb"\[Content_Types\]|_rels/|docProps/|xl/|mimetype|META-INF/|content\.xml")
_HEAD_OF_TEXT = 1 << 18
_LINES_COMPARED = 300
# Records whose names are collected, because a record may leave out fields.
_RECORDS_SAMPLED = 1_000
_MOST_COLUMNS = 10_000
_TITLES_SHOWN = 100


def open_table(path: Path, wishes: Wishes | None = None) -> Table:
    """Read through the file at `path`, which may be a member of a ZIP archive, and return its rows.

    `wishes` overrides what is detected. Raises `FileError`: one line, what is wrong and what to do.
    """
    wishes = wishes or Wishes()
    _check_kind(path)
    with reading(path):
        compression = compression_of(path)
        if compression == "zip" and path.is_file() and (problem := foreign_archive(path, members(path))):
            raise FileError(path, problem)
        with open_bytes(path, compression) as stream:
            head = stream.read(_HEAD)
        if not head:
            kind = f"is a {name_of(compression)} file without content" if compression else "is empty"
            raise FileError(path, kind)
        return _binary_table(path, compression, head, wishes) or _text_table(path, compression, wishes)


def _check_kind(path: Path) -> None:
    archive, _ = archive_of(path)
    if archive.is_dir():
        raise FileError(path, "is a directory; name a file in it")
    if archive.exists() and not archive.is_file():
        raise FileError(path, "is not a regular file; save its content to a file first, because it is read twice")


def _binary_table(path: Path, compression: Compression, head: bytes, wishes: Wishes) -> Table | None:
    if head.startswith(b"PK\x05\x06"):
        raise FileError(path, "is a ZIP archive without files")
    if problem := foreign_kind(path, head):
        raise FileError(path, problem)
    is_zip = head.startswith(b"PK\x03\x04")
    if compression and not is_zip and (inner := compression_by(head)):
        outer = name_of(compression)
        raise FileError(path, f"is a {name_of(inner)} file inside of a {outer} file; unpack the outer one first")
    if is_zip and not compression and (problem := _foreign_member(path)):
        raise FileError(path, problem)
    if is_zip and compression == "zip" and not _PART_OF_WORKBOOK.search(head):
        raise FileError(path, "is a ZIP archive inside of another; unpack the outer one and load what is in it")
    if is_zip or is_old_workbook(head):
        return open_workbook(path, compression, wishes)
    if head.startswith(b"PAR1"):
        return open_parquet(path, compression)
    if wishes.format in ("workbook", "parquet"):
        raise FileError(path, f"is no {wishes.format}; leave --format out to have the format detected")
    return None


def _foreign_member(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        return foreign_archive(path, archive.namelist())


def _text_table(path: Path, compression: Compression, wishes: Wishes) -> Table:
    found = detect_encoding(path, lambda: open_bytes(path, compression), wishes.encoding, wishes.usual_encoding)
    source = TextSource(path, compression, found)
    head = source.head(_HEAD_OF_TEXT)
    if wishes.format is None and (problem := other_notation(path, head)):
        raise FileError(path, problem)
    notes = []
    if found.strays:
        strays = "1 byte is" if found.strays == 1 else f"{found.strays:,} bytes are"
        notes.append(f"{strays} not {found.name} and read as cp1252 or shown as \ufffd")
    if wishes.encoding is None and wishes.usual_encoding is None and UNLIKELY.get(found.name, 0) >= UNUSUAL:
        notes.append(f"its encoding is taken for {found.name}, which is rare; check the names, or give --encoding")
    if found.remark:
        notes.append(found.remark)
    if found.seems_utf8:
        notes.append(f"it is valid UTF-8, but read as {found.name}, as you have said")
    if found.nuls:
        notes.append(f"{found.nuls:,} NUL characters are left out")
    if wishes.format == "csv" or (wishes.format is None and not is_json(head)):
        return _delimited_table(source, head, wishes, notes)
    return _json_table(source, head, wishes, notes)


def _json_table(source: TextSource, head: str, wishes: Wishes, notes: list[str]) -> Table:
    compression, encoding = source.compression, source.encoding.name
    is_lines = wishes.records is None and is_ndjson(head, whole=len(head) < _HEAD_OF_TEXT)
    if wishes.format == "ndjson" or (wishes.format is None and is_lines):
        with source.open() as text:
            columns, empty = _names(read_lines(text))
        if empty:
            raise FileError(source.path, "contains no rows")
        return JsonLinesTable(
            source, Dialect(format="ndjson", compression=compression, encoding=encoding), columns, notes
        )
    source, shape = _find_records(source, wishes, notes)
    if source.is_python:
        notes.append(
            "it has NaN or Infinity, which are read as nothing, or integers of more than 18 digits, read as text"
        )
    format_: FileFormat = "geojson" if shape.is_geojson else "json"
    chosen = wishes.is_part_chosen
    dialect = Dialect(
        format=format_, compression=compression, encoding=encoding, records=shape.records, is_part_chosen=chosen
    )
    if shape.records and not shape.is_geojson:
        notes.append(f"the records are at {shape.records!r}")
    if shape.others:
        notes.append(f"other lists are not read: {', '.join(map(repr, shape.others[:10]))}")
    unread = [] if chosen else shape.unread
    if unread:
        file = shlex.quote(shown_path(source.path))
        commands = "; ".join(f"ingest {file} --records {shlex.quote(it or '.')}" for it in unread)
        notes.append(
            f"more lists look like this one and are not read ({len(unread)}); load each of them: {commands}"
        )
    if shape.page:
        notes.append(shape.page)
        unread = unread if chosen else [*unread, "the other pages"]
    locates = not shape.crs or is_wgs_84(shape.crs)
    if not locates:
        notes.append(
            f"its coordinates are in {shape.crs}, not WGS 84, and are left out; convert them with: "
            f"ogr2ogr -t_srs EPSG:4326 OUT.geojson {source.path.name}"
        )
    columns, empty = _names(read_records(source, shape, locate=locates))
    if empty:
        raise FileError(source.path, "contains no rows")
    return JsonDocumentTable(source, dialect, shape, columns, notes, locates, unread)


def _find_records(source: TextSource, wishes: Wishes, notes: list[str]) -> tuple[TextSource, Shape]:
    source, found = find_records(source, wishes.records)
    shape = numbered_if_data(source, found, header=wishes.header)
    if shape is not found and wishes.header is None:
        notes.append("the first row is data, so the columns are numbered")
    return source, shape


def _names(rows: Iterable[RawRow]) -> tuple[list[str], bool]:
    """Return the names of the columns of the first rows, and whether there are no rows at all."""
    names: dict[str, None] = {}
    empty = True
    for row in islice(rows, _RECORDS_SAMPLED):
        empty = False
        names.update(dict.fromkeys(row.fields))
        if len(names) > _MOST_COLUMNS:
            break
    return list(names)[:_MOST_COLUMNS], empty


def _delimited_table(source: TextSource, head: str, wishes: Wishes, notes: list[str]) -> Table:
    path = source.path
    lines = _lines(head, whole=len(head) < _HEAD_OF_TEXT)
    skipped = wishes.skip_rows or 0
    if wishes.delimiter is not None and len(wishes.delimiter) != 1:
        raise FileError(path, f"--delimiter {wishes.delimiter!r} must be one character, such as ; or a tab")
    marks = find_marks(lines[skipped:], wishes.delimiter)
    rows = list(split_rows(lines, marks))
    if marks.named and wishes.skip_rows is None:
        rows = [(end, row) for end, row in rows if end > 1]
    if wishes.skip_rows is not None:
        rows = [(end, row) for end, row in rows if end > wishes.skip_rows]
    cells = [row for _, row in rows]
    header = find_header(cells, skip=None if wishes.skip_rows is None else 0, present=wishes.header)
    if header.row >= len(rows) or not any(map(filled, cells)):
        raise FileError(path, "contains no rows")
    named = names_of(cells, header, above=wishes.skip_rows is None)
    body = cells[named.row + named.rows :] if header.present else cells[header.row :]
    first = named.row if header.present else header.row
    begins = rows[first - 1][0] if first else (skipped or (1 if marks.named else 0))
    refuse_fixed_width(path, lines[skipped:], body, wishes.delimiter)
    if header.present:
        columns, extra = _columns(list(named.names), body)
        notes += [*extra, *named.notes]
    else:
        width = max(map(len, body))
        columns = [str(number) for number in range(1, width + 1)]
        if wishes.header is None:
            notes.append("the first line is data, not names of columns, so the columns are numbered")
    if header.doubtful and wishes.header is None and header.present:
        notes.append("the first line may be data: --no-header loads it, too")
    notes += _skipped(cells[:first], marks, named=marks.named and wishes.skip_rows is None)
    dialect = Dialect(
        format="csv",
        compression=source.compression,
        encoding=source.encoding.name,
        delimiter=marks.delimiter,
        skip_rows=begins,
        header=header.present,
    )
    refuse_wide_rows(path, columns, body, skip=wishes.skip_rows)
    pads = header.present and _pads(body, len(columns))
    if pads:
        notes.append("rows leave out the empty cells at their end")
    with source.open() as text:
        if next(read_rows(text, marks, columns, dialect, pads=pads, header_rows=named.rows), None) is None:
            raise FileError(path, "has a header but no rows; if that line is a hospital: --no-header")
    judge = ExtraCells(body, lines, marks.delimiter, columns) if header.present and columns else None
    return DelimitedTable(source, dialect, marks, columns, notes, pads, named.rows, judge)


def _lines(head: str, *, whole: bool) -> list[str]:
    lines = [line.removeprefix("\ufeff") for line in islice(io.StringIO(head, newline=""), _LINES_COMPARED)]
    return lines if whole or len(lines) < 2 or len(lines) == _LINES_COMPARED else lines[:-1]


def _columns(names: list[str], body: list[list[str]]) -> tuple[list[str], list[str]]:
    """Return the columns, and a note if the header has one fewer than all rows: R leaves out that of row names."""
    widths = {len(row) for row in body if filled(row)}
    if (
        widths == {len(names) + 1}
        and len(names) > 1
        # All rows of a file of rejected rows may be too long.
        and names[0] != LINE_COLUMN
        and all(row[0].strip() and row[-1].strip() for row in body if row)
    ):
        return distinct(["", *names]), ["the header has no name for the first column"]
    while len(names) > 1 and not names[-1].strip() and all(not any(row[len(names) - 1 :]) for row in body):
        names = names[:-1]
    return distinct(names), []


def _pads(body: list[list[str]], width: int) -> bool:
    """Return whether the rows leave out empty cells at their end: many are shorter than the header, none longer."""
    widths = [len(row) for row in body if filled(row)]
    short = sum(1 for length in widths if length < width)
    return short >= max(2, len(widths) / 10) and all(1 < length <= width for length in widths)


def _skipped(above: list[list[str]], marks: Marks, *, named: bool) -> list[str]:
    titles = [" ".join(cell.strip() for cell in row if cell.strip()) for row in above if filled(row)]
    notes = [f"the line sep={marks.delimiter} is skipped"] if named else []
    if titles:
        notes.append(f"lines above the header are skipped: {' / '.join(titles)[:_TITLES_SHOWN]!r}")
    return notes
