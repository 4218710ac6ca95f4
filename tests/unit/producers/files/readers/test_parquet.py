import gzip
import json
import struct
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from producers.files import FileError
from producers.files.opening import open_table

COLUMNS = {
    "id": [1, 2],
    "name": ["Oak", "Élm"],
    "opened": [date(2024, 3, 1), None],
    "address": [{"city": "Aveda"}, {"city": "Brusk"}],
}
FIRST = {"id": 1, "name": "Oak", "opened": date(2024, 3, 1), "address.city": "Aveda"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.parquet"


def save(path: Path, columns: dict[str, list[object]], geo: dict[str, object] | None = None) -> None:
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)} if geo else {}), path)


def test_rows_keep_their_types(path: Path) -> None:
    save(path, COLUMNS)  # type: ignore[arg-type]
    table = open_table(path)
    assert list(table.columns) == list(FIRST)
    first, second = table.rows()
    assert (first.line, first.fields, second.line) == (1, FIRST, 2)
    assert (table.dialect.format, table.lines) == ("parquet", 2)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert next(open_table(path).rows()).fields == FIRST


def test_the_points_of_geoparquet_are_locations(path: Path) -> None:
    columns = {"name": ["Oak"], "geometry": [struct.pack("<BI2d", 1, 1, 20.5, 10.5)]}
    geo: dict[str, object] = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    save(path, columns, geo)  # type: ignore[arg-type]
    location = {"type": "Point", "coordinates": [20.5, 10.5]}
    assert [row.fields for row in open_table(path).rows()] == [{"name": "Oak", "location": location}]


def test_coordinates_in_another_system_are_left_out(path: Path) -> None:
    columns = {"name": ["Oak"], "geometry": [struct.pack("<BI2d", 1, 1, 5e5, 6e6)]}
    crs = {"name": "OSGB36 / British National Grid", "id": {"code": 27700}}
    save(path, columns, {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "crs": crs}}})  # type: ignore[arg-type]
    table = open_table(path)
    assert [row.fields for row in table.rows()] == [{"name": "Oak", "geometry": None}]
    assert "British National Grid, not WGS 84" in table.notes[0]


def test_coordinates_that_agree_with_wgs_84_are_locations(path: Path) -> None:
    columns = {"name": ["Oak"], "geometry": [struct.pack("<BI2d", 1, 1, -40.5, -10.5)]}
    crs = {"name": "SIRGAS 2000", "id": {"authority": "EPSG", "code": 4674}}
    save(path, columns, {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "crs": crs}}})  # type: ignore[arg-type]
    location = {"type": "Point", "coordinates": [-40.5, -10.5]}
    assert [row.fields for row in open_table(path).rows()] == [{"name": "Oak", "location": location}]


def test_a_broken_or_empty_file_is_refused(path: Path) -> None:
    save(path, {"name": []})
    with pytest.raises(FileError, match="contains no rows"):
        open_table(path)
    path.write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(FileError, match="is a broken Parquet file"):
        open_table(path)


def test_a_missing_pyarrow_is_named_with_the_command_that_installs_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(path, {"name": ["Oak"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FileError, match=r"needs pyarrow: pip install 'hospital-registry-worker\[parquet\]'"):
        open_table(path)
