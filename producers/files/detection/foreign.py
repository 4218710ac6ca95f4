"""Names the kinds of files that are not a table, each with a command that turns it into one."""

import re
from pathlib import Path

_OGR = "ogr2ogr -f GeoJSON OUT.geojson {name}"
_OFFICE = "libreoffice --convert-to csv {name}"
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document", "pdftotext -layout {name} OUT.txt, or tabula for its tables"),
    (b"SQLite format 3\0", "an SQLite database", "sqlite3 -header -csv {name} 'SELECT * FROM TABLE' > OUT.csv"),
    (b"\x00\x00\x27\x0a", "a shapefile", _OGR),
    (b"\x00\x01\x00\x00Standard Jet", "an Access database", "mdb-export {name} TABLE > OUT.csv"),
    (b"\x00\x01\x00\x00Standard ACE", "an Access database", "mdb-export {name} TABLE > OUT.csv"),
    (b"{\\rtf", "a Rich Text document", _OFFICE),
    (b"\x89PNG", "a picture (PNG)", "tesseract {name} OUT, which reads its text"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "tesseract {name} OUT, which reads its text"),
    (b"GIF8", "a picture (GIF)", "tesseract {name} OUT, which reads its text"),
    (b"II*\0", "a picture (TIFF)", "tesseract {name} OUT, which reads its text"),
    (b"MM\0*", "a picture (TIFF)", "tesseract {name} OUT, which reads its text"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x {name}"),
    (b"Rar!", "a RAR archive", "unrar x {name}"),
    (b"ARROW1", "an Arrow file", "duckdb, or pandas.read_feather({name!r}).to_csv('OUT.csv')"),
    (b"Obj\x01", "an Avro file", "fastavro {name} > OUT.ndjson"),
    (b"ORC", "an ORC file", "pandas.read_orc({name!r}).to_csv('OUT.csv')"),
    (b"\x89HDF", "an HDF5 file", "pandas.read_hdf({name!r}).to_csv('OUT.csv')"),
    (b"$FL2", "an SPSS file", "pandas.read_spss({name!r}).to_csv('OUT.csv')"),
    (b"$FL3", "an SPSS file", "pandas.read_spss({name!r}).to_csv('OUT.csv')"),
    (b"<stata_dta>", "a Stata file", "pandas.read_stata({name!r}).to_csv('OUT.csv')"),
    (b"RDX", "an R data file", 'Rscript -e \'write.csv(readRDS("{name}"), "OUT.csv")\''),
    (b"X\n\0\0\0", "an R data file", 'Rscript -e \'write.csv(readRDS("{name}"), "OUT.csv")\''),
)
_MARKUP: tuple[tuple[str, str, str], ...] = (
    (r"<kml\b", "KML", _OGR),
    (r"<gpx\b", "GPX", _OGR),
    (r"<osm\b", "OpenStreetMap XML", _OGR),
    (r"\bxmlns:gml=|<gml:|<wfs:FeatureCollection", "GML", _OGR),
    (r"progid=.Excel\.Sheet|<Workbook\b", "an Excel workbook in XML", _OFFICE),
    (
        r"<!doctype html|<(?:html|head|body|meta|script|div|table)\b",
        "an HTML page",
        "pandas.read_html({name!r})[0].to_csv('OUT.csv')",
    ),
    (r"<\?xml\b", "XML", "xmlstarlet sel -t -m //RECORD -v NAME -o , -v CITY -n {name} > OUT.csv"),
)
_SHELL_SCRIPT = "is a script, not a list; look in it for the address that it fetches the list from"
# A variable or a function that gets a document of JSON, as pages with maps load it.
_JAVASCRIPT = re.compile(
    r"(?:(?://[^\n]*\n|/\*.{0,2000}?\*/)\s*)*(?:(?:export\s+)?(?:var|let|const)\s+[\w$]+\s*=\s*|export\s+default\s+|"
    r"[A-Za-z_$][\w$.]*\s*(?:\[[^\]\n]{0,80}\]\s*)?=\s*(?=[\[{])|[A-Za-z_$][\w$.]*\s*\(\s*(?=[\[{]\s*[\[{\"]))",
    re.DOTALL,
)
_OF_WORKBOOKS = (".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ARCHIVES: tuple[tuple[str, str, str], ...] = (
    ("word/", "a Word document", _OFFICE.replace("csv", "txt:Text")),
    ("ppt/", "a PowerPoint document", "libreoffice --convert-to pdf {name}"),
    ("doc.kml", "KMZ (zipped KML)", _OGR),
)


def foreign_kind(path: Path, head: bytes) -> str | None:
    """Return what the file is and how to convert it, in one line, if its first bytes show that it is no table."""
    for magic, kind, command in _MAGIC:
        if head.startswith(magic):
            return _sentence(path, kind, command)
    if head[257:262] == b"ustar":
        return _sentence(path, "a tar archive", "tar -xf {name}")
    if head.startswith(_OLE) and "WordDocument".encode("utf-16-le") in head:
        return _sentence(path, "a Word document", _OFFICE.replace("csv", "txt:Text"))
    return _foreign_text(path, _text_of(head))


def _foreign_text(path: Path, text: str) -> str | None:
    if script := _JAVASCRIPT.match(text):
        return (
            f"is JavaScript, not JSON: it begins with {script[0][:40]!r}; delete that, and what stands behind the "
            "last bracket or brace, and load the result"
        )
    if text.startswith("#!/"):
        return _SHELL_SCRIPT
    kinds = _MARKUP if text.startswith("<") else ()
    for pattern, kind, command in kinds:
        if re.search(pattern, text, re.IGNORECASE):
            return _web_page(path, text, command) if kind == "an HTML page" else _sentence(path, kind, command)
    return None


def _web_page(path: Path, text: str, command: str) -> str:
    if path.suffix.lower() in _OF_WORKBOOKS and re.search(r"<table\b", text, re.IGNORECASE):
        return (
            "is an HTML page called a workbook; open it in a spreadsheet program, save it as xlsx or CSV, "
            "and load that"
        )
    return _sentence(path, "an HTML page", command) + "; perhaps the server sent an error page: look at it"


def foreign_archive(path: Path, names: list[str]) -> str | None:
    """Return the same for a ZIP archive with these members; None for a workbook or a parcel of files."""
    for part, kind, command in _ARCHIVES:
        if any(name.startswith(part) for name in names):
            return _sentence(path, kind, command)
    if any(name.lower().endswith(".shp") for name in names):
        return _sentence(path, "a zipped shapefile", _OGR.replace("{name}", "/vsizip/{name}"))
    return None


def is_old_workbook(head: bytes) -> bool:
    """Return whether the file is in the compound format of Excel 97 to 2003 (xls)."""
    return head.startswith(_OLE)


def _sentence(path: Path, kind: str, command: str) -> str:
    return f"is {kind}; convert it, for example with: {command.format(name=path.name)}"


def _text_of(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").lstrip("\ufeff \t\r\n")
    return head[:8_192].decode("utf-8-sig", "replace").lstrip("\ufeff \t\r\n")
