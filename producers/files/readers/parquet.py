"""Reads Parquet files, streamed. Needs the extra `parquet` (pyarrow)."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from producers.files.detection.compression import open_bytes
from producers.files.errors import FileError
from producers.files.readers.records import LOCATION, flattened
from producers.files.readers.well_known_binary import point_of
from producers.files.systems import is_wgs_84
from producers.files.table import Compression, Dialect, RawRow

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Parquet file. `geometry` is the column of GeoParquet from which `location` is taken."""

    path: Path
    dialect: Dialect
    columns: Sequence[str]
    notes: Sequence[str]
    lines: int
    geometry: str = ""

    def rows(self) -> Iterator[RawRow]:
        """Yield every row, numbered from 1. Raises `FileError` if reading fails part-way."""
        from pyarrow import ArrowException  # noqa: PLC0415 - it is an extra, and large

        with _open(self.path, self.dialect.compression) as file:
            number = 0
            try:
                for batch in file.iter_batches(batch_size=_BATCH):
                    for record in batch.to_pylist():
                        number += 1
                        yield RawRow(number, self._fields(record))
            except (ArrowException, OSError) as error:
                raise FileError(self.path, f"is broken after row {number} ({error}); fetch it again") from None

    def _fields(self, record: Mapping[str, object]) -> dict[str, object]:
        found = flattened({name: _value(value) for name, value in record.items() if name != self.geometry})
        geometry = record.get(self.geometry)
        if isinstance(geometry, bytes) and (point := point_of(geometry)) is not None:
            found[LOCATION if LOCATION not in found else self.geometry] = point
        return found


def open_parquet(path: Path, compression: Compression) -> ParquetTable:
    """Return the rows of a Parquet file. Raises `FileError` if pyarrow is not installed or the file is broken."""
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - it is an extra, and large
    except ImportError:
        raise FileError(
            path, "is a Parquet file, which needs pyarrow: pip install 'hospital-registry-worker[parquet]'"
        ) from None
    try:
        with _open(path, compression) as file:
            metadata = dict(file.schema_arrow.metadata or {})
            count, names = file.metadata.num_rows, list(file.schema_arrow.names)
    except (ArrowException, OSError) as error:
        raise FileError(path, f"is a broken Parquet file ({error}); fetch it again") from None
    geometry, notes = _geometry(metadata)
    dialect = Dialect(format="parquet", compression=compression, encoding="")
    table = ParquetTable(path, dialect, names, notes, count, geometry)
    first = next(table.rows(), None)
    if first is None:
        raise FileError(path, "contains no rows")
    flat = [name for name in first.fields if name not in names]
    columns = [name for name in names if name != geometry and (name in first.fields or not flat)] + flat
    return ParquetTable(path, dialect, columns, notes, count, geometry)


def _geometry(metadata: Mapping[bytes, bytes]) -> tuple[str, list[str]]:
    """Return the column that holds points in WGS 84, by the metadata of GeoParquet."""
    if b"geo" not in metadata:
        return "", []
    geo = json.loads(metadata[b"geo"])
    name = str(geo.get("primary_column", ""))
    column = geo.get("columns", {}).get(name, {})
    crs = column.get("crs") or {}
    if crs and not is_wgs_84(str(crs.get("id", {}).get("code"))):
        return "", [f"its coordinates are in {crs.get('name', 'another system')}, not WGS 84, and are left out"]
    return (name, []) if column.get("encoding") == "WKB" else ("", [])


@contextmanager
def _open(path: Path, compression: Compression) -> Iterator["ParquetFile"]:
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - as above

    with open_bytes(path, compression) as stream:
        if not compression:
            with ParquetFile(stream) as file:
                yield file
            return
        # Its index is at the end, so the file must be at hand as a whole.
        with tempfile.TemporaryFile() as spool:
            copyfileobj(stream, cast(BinaryIO, spool))
            with ParquetFile(spool) as file:
                yield file


def _value(value: Any) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if isinstance(value, bytes) else value
