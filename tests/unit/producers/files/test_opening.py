"""Every format, plain or compressed, from files as their programs write them."""

import bz2
import gzip
import json
import lzma
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError
from producers.files.opening import open_table
from producers.files.table import Wishes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RECORDS = [{"id": "a", "name": "Oak Hospital"}, {"id": "b", "name": "Élm Hospital"}]
CSV = "id,name\na,Oak Hospital\nb,Élm Hospital\n".encode()
FEATURES = [
    {
        "type": "Feature",
        "properties": {"name": "Oak"},
        "geometry": {"type": "Point", "coordinates": [20.5, 10.5, 3]},
    },
    {"type": "Feature", "id": 7, "properties": {"name": "Elm"}, "geometry": None},
]
OAK = {"name": "Oak", "location": {"type": "Point", "coordinates": [20.5, 10.5]}}
ELM = {"name": "Elm", "id": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list"


def fields(path: Path, content: bytes | str, **wishes: Any) -> list[dict[str, object]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [dict(row.fields) for row in open_table(path, Wishes(**wishes)).rows()]


def zipped(data: bytes) -> bytes:
    archive = Path(os.environ["ZIPPED"])
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("folder/list.csv", data)
        file.writestr("__MACOSX/folder/._list.csv", b"\0")
    return archive.read_bytes()


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("", bytes),
        ("gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zstd", zstd.compress),
        ("zip", zipped),
    ],
)
@pytest.mark.parametrize("content", [CSV, json.dumps(RECORDS).encode()], ids=["csv", "json"])
def test_compression_is_detected_by_content(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, compress: Callable[[bytes], bytes], content: bytes
) -> None:
    monkeypatch.setenv("ZIPPED", str(path.with_suffix(".zip")))
    assert fields(path, compress(content)) == RECORDS
    assert open_table(path).dialect.compression == name


NDJSON = "".join(json.dumps(record) + "\n" for record in RECORDS)


@pytest.mark.parametrize(
    ("content", "format_", "records"),
    [
        (NDJSON, "ndjson", ""),
        (NDJSON.splitlines()[0], "ndjson", ""),
        (json.dumps(RECORDS), "json", ""),
        (json.dumps(RECORDS, indent=2), "json", ""),
        (json.dumps({"success": True, "data": RECORDS}), "json", "data"),
        (
            json.dumps({"meta": {"columns": [{"name": "x"}]}, "result": {"items": RECORDS}}, indent=1),
            "json",
            "result.items",
        ),
        (json.dumps({"hospitals": {record["id"]: record for record in RECORDS}}, indent=1), "json", "hospitals.*"),
        ("".join(json.dumps(record, indent=1) + "\n" for record in RECORDS), "json", ""),
        (json.dumps([["id", "name"], *([record["id"], record["name"]] for record in RECORDS)]), "json", ""),
        (
            json.dumps(
                {
                    "meta": {"view": {"columns": [{"name": "id"}, {"name": "name"}]}},
                    "data": [[record["id"], record["name"]] for record in RECORDS],
                    "more": 1,
                },
            ).replace('"more"', '"view"'),
            "json",
            "data",
        ),
    ],
)  # fmt: skip
def test_records_are_found_wherever_a_json_document_has_them(
    path: Path, content: str, format_: str, records: str
) -> None:
    found = fields(path, content)
    for record in found:
        record.pop("key", None)
    assert found == RECORDS[: len(found)]
    dialect = open_table(path).dialect
    assert (dialect.format, dialect.records) == (format_, records)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"type": "FeatureCollection", "features": FEATURES}),
        json.dumps({"type": "FeatureCollection", "features": FEATURES}, indent=1),
        "".join(json.dumps(feature) + "\n" for feature in FEATURES),
        "".join("\x1e" + json.dumps(feature) + "\n" for feature in FEATURES),
    ],
    ids=["one line", "many lines", "a feature on each line", "a sequence"],
)
def test_features_of_geojson_are_rows(path: Path, content: str) -> None:
    assert fields(path, content) == [OAK, ELM]


def test_features_of_arcgis_are_rows(path: Path) -> None:
    feature = {"attributes": {"NAME": "Oak"}, "geometry": {"x": 20.5, "y": 10.5}}
    assert fields(path, json.dumps({"features": [feature] * 2}))[0] == {"NAME": "Oak", "location": OAK["location"]}


def test_coordinates_in_another_system_are_left_out_and_the_note_says_how_to_convert_them(path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    content = json.dumps({"type": "FeatureCollection", "crs": crs, "features": FEATURES})
    assert fields(path, content) == [{"name": "Oak"}, ELM]
    (note,) = open_table(path).notes
    assert "EPSG::3857, not WGS 84" in note
    assert "ogr2ogr -t_srs EPSG:4326" in note


@pytest.mark.parametrize("system", ["EPSG::4269", "EPSG::4674", "EPSG::4258", "OGC::CRS83"])
def test_coordinates_that_agree_with_wgs_84_are_read_as_they_are(path: Path, system: str) -> None:
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{system}"}}
    content = json.dumps({"type": "FeatureCollection", "crs": crs, "features": FEATURES})
    assert fields(path, content) == [OAK, ELM]
    assert open_table(path).notes == []


def test_the_user_chooses_among_the_lists_of_a_document(path: Path) -> None:
    content = json.dumps({"closed": [{"name": "Old"}], "open": RECORDS, "towns": [{"name": "Aveda"}] * 2})
    assert fields(path, content, records="closed") == [{"name": "Old"}]
    assert "other lists are not read: 'towns'" in open_table(path).notes
    with pytest.raises(FileError, match="no list of records at 'shut'; its lists are at 'open', 'towns', 'closed'"):
        open_table(path, Wishes(records="shut"))


def test_nested_objects_are_columns(path: Path) -> None:
    record = {"name": "Oak", "address": {"city": "Aveda", "geo": {"lat": 1.5}}, "location": OAK["location"]}
    assert fields(path, json.dumps([record])) == [
        {"name": "Oak", "address.city": "Aveda", "address.geo.lat": 1.5, "location": OAK["location"]}
    ]


def test_a_json_document_may_be_in_any_encoding(path: Path) -> None:
    content = json.dumps(RECORDS * 3, ensure_ascii=False)
    for encoding in ("utf-8-sig", "utf-16"):
        assert fields(path, content.encode(encoding)) == RECORDS * 3
    assert fields(path, content.encode("cp1252"), encoding="cp1252") == RECORDS * 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[" + NDJSON.replace("\n", ",") + '{"id', "broken JSON after record 3"),
        ("[1, 2, 3]", "JSON without a list of records"),
        ("[" * 200 + "]" * 200, "nested more than 100 levels deep"),
        ('[{"wards": [{"name": "A"}, {"name": "B"}]}]', "lists within lists"),
        ("[]", "without a list of records"),
    ],
)
def test_json_that_is_no_list_is_refused(path: Path, content: str, problem: str) -> None:
    with pytest.raises(FileError, match=problem) as caught:
        fields(path, content)
    assert len(str(caught.value).splitlines()) == 1


def test_a_csv_header_in_brackets_is_no_json(path: Path) -> None:
    assert fields(path, "[id],[name]\n1,Oak\n2,Elm\n") == [
        {"[id]": "1", "[name]": "Oak"},
        {"[id]": "2", "[name]": "Elm"},
    ]


COMPRESSED = gzip.compress(os.urandom(2_000).hex().encode())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is a gzip file without content"),
        (b"\n\n \n", "contains no rows"),
        (b"name,city\n", "has a header but no rows"),
        (COMPRESSED[:-20], "ends in the middle of its compressed data"),
        (COMPRESSED[:100] + b"\xff" * 50 + COMPRESSED[150:], "broken gzip data"),
        (b"\x1f\x8bnonsense", "broken gzip data"),
        (bz2.compress(CSV)[:-9], "in the middle of its compressed data"),
        (lzma.compress(CSV)[:40] + b"\xff" * 8 + lzma.compress(CSV)[48:], "contains broken compressed data"),
        (zstd.compress(CSV)[:12] + b"\xff" * 20, "cannot be uncompressed|in the middle"),
        (gzip.compress(bytes(400_000_000), 9), "binary file|more than 1,000 times"),
        (b"PK\x03\x04rest", "cannot be uncompressed|cannot be read"),
    ],
)
def test_unusable_content_is_refused_with_its_problem(path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(FileError, match=problem) as caught:
        fields(path, content)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "kind", "command"),
    [
        ("<?xml version='1.0'?>\n<kml xmlns='x'><Document/></kml>", "KML", "ogr2ogr"),
        ("<?xml version='1.0'?><hospitals/>", "XML", "xmlstarlet"),
        (
            "<?xml version='1.0'?><?mso-application progid=\"Excel.Sheet\"?>",
            "an Excel workbook in XML",
            "libreoffice",
        ),
        ("\ufeff<!DOCTYPE html>\n<html>", "an HTML page", "read_html"),
        ("<table><tr><td>A</td></tr></table>", "an HTML page", "read_html"),
        ("%PDF-1.7\n", "a PDF document", "pdftotext"),
        (b"\x00\x00\x27\x0a" + bytes(100), "a shapefile", "ogr2ogr"),
        (b"SQLite format 3\0", "an SQLite database", "sqlite3"),
        (b"\x89PNG\r\n", "a picture .PNG.", "tesseract"),
        (b"x" * 257 + b"ustar", "a tar archive", "tar -xf"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"),
            "a Word document",
            "libreoffice",
        ),
        (b"{\\rtf1", "a Rich Text document", "libreoffice"),
    ],
)
def test_other_kinds_of_files_are_named_with_a_command_that_converts_them(
    path: Path, content: bytes | str, kind: str, command: str
) -> None:
    with pytest.raises(FileError, match=f"is {kind}; convert it, for example with: .*{command}") as caught:
        fields(path, content)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (["word/document.xml", "[Content_Types].xml"], "is a Word document"),
        (["doc.kml"], "is KMZ"),
        (["a.shp", "a.dbf"], "is a zipped shapefile"),
        (["a.csv", "b.csv"], "contains 2 files; name one of them: .*list/a.csv, .*list/b.csv"),
        ([], "is a ZIP archive without files"),
    ],
)
def test_archives_that_are_no_single_table_are_refused(path: Path, members: list[str], problem: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(name, CSV)
    with pytest.raises(FileError, match=problem):
        open_table(path)


def test_a_member_of_an_archive_is_a_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("north/b.json", json.dumps(RECORDS))
    for name in ("a.csv", "north/b.json"):
        assert [dict(row.fields) for row in open_table(path / name).rows()] == RECORDS
    with pytest.raises(FileError, match="is not in the archive"):
        open_table(path / "c.csv")


def test_a_missing_file_a_directory_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, problem in [("none.csv", "No such file"), (".", "is a directory"), ("pipe", "not a regular file")]:
        with pytest.raises(FileError, match=problem):
            open_table(tmp_path / name)


def test_an_unreadable_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(CSV)

    # File modes do not restrict root, and the tests may run as root.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileError, match="cannot be read: Permission denied"):
        open_table(path)
