"""What the reader of workbooks does not say of an xlsx or ods, such as number formats.

A part of the workbook is parsed only if it has such a thing: a sheet of numbers and texts costs a search.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO
from xml.parsers import expat

from producers.files.readers.number_formats import DigitFormat, digit_format
from producers.files.readers.ods_xml import CONTENT, ods_facts
from producers.files.readers.spreadsheet_parts import Attributes, CellFacts, contains, parse

_BASE = ord("A") - 1
_WORKBOOK = "xl/workbook.xml"
# Of formulas, and of rows that are not shown.
_SIGNS = (b"<f>", b"<f ", b":f>", b":f ", b'hidden="1"', b'hidden="true"')
# An encrypted part is a RuntimeError.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    expat.ExpatError,
    ValueError,
    RuntimeError,
    OSError,
    EOFError,
)


class SpreadsheetXml:
    """The parts of an xlsx or ods. Anything else, and what cannot be parsed, has no facts: the reader complains."""

    def __init__(self, data: bytes) -> None:
        self._archive: zipfile.ZipFile | None = None
        self._parts: dict[str, str] = {}
        self._formats: dict[str, DigitFormat] = {}
        self._ods: Mapping[str, CellFacts] = {}
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
            names = archive.namelist()
            if CONTENT in names:
                self._ods = ods_facts(archive)
            elif _WORKBOOK in names:
                self._parts = _parts_of_sheets(archive)
                self._formats = _digit_formats(archive)
                self._archive = archive
        except _UNREADABLE:
            self._parts = {}

    def facts(self, sheet: str) -> CellFacts:
        """Return what is known of a sheet."""
        part = self._parts.get(sheet)
        if part is None or self._archive is None:
            return self._ods.get(sheet, CellFacts())
        try:
            with self._archive.open(part) as stream:
                if not self._formats and not contains(stream, *_SIGNS):
                    return CellFacts()
            with self._archive.open(part) as stream:
                return _SheetParser(self._formats).read(stream)
        except _UNREADABLE:
            return CellFacts()


class _SheetParser:
    def __init__(self, formats: Mapping[str, DigitFormat]) -> None:
        self._formats = formats
        self._facts = CellFacts()
        self._has_formula = self._has_value = self._is_text = self._in_value = False

    def read(self, stream: IO[bytes]) -> CellFacts:
        parse(stream, self._start, self._end, self._text)
        return self._facts

    def _start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._has_formula = self._has_value = False
            self._is_text = attributes.get("t", "n") != "n"
            number_format = self._formats.get(attributes.get("s", ""))
            if number_format is not None and not self._is_text and "r" in attributes:
                row, column = _position(attributes["r"])
                self._facts.formatted.append((row, column, number_format))
        elif name == "row":
            if attributes.get("hidden") in ("1", "true") and "r" in attributes:
                self._facts.hidden_rows.append(int(attributes["r"]) - 1)
        elif name == "f":
            self._has_formula = True
        elif name == "v":
            self._in_value = True

    def _text(self, text: str) -> None:
        self._has_value = self._has_value or (self._in_value and not text.isspace())

    def _end(self, name: str) -> None:
        if name == "v":
            self._in_value = False
        elif name == "c":
            # The result of a formula may be an empty text.
            self._facts.without_result += self._has_formula and not self._has_value and not self._is_text


def _parts_of_sheets(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the name of the part of each sheet."""
    targets = {it["Id"]: it["Target"] for it in _elements(archive, "xl/_rels/workbook.xml.rels", "Relationship")}
    found = {}
    for sheet in _elements(archive, _WORKBOOK, "sheet"):
        relation = next((value for name, value in sheet.items() if name.rpartition(":")[2] == "id"), "")
        if target := targets.get(relation):
            found[sheet["name"]] = target[1:] if target.startswith("/") else f"xl/{target}"
    return found


def _digit_formats(archive: zipfile.ZipFile) -> dict[str, DigitFormat]:
    """Return the formats of digits by the number of the cells' style."""
    codes = {it["numFmtId"]: it["formatCode"] for it in _elements(archive, "xl/styles.xml", "numFmt")}
    formats = {number: found for number, code in codes.items() if (found := digit_format(code)) is not None}
    if not formats:
        return {}
    styles = enumerate(_elements(archive, "xl/styles.xml", "xf", within="cellXfs"))
    return {str(at): formats[it["numFmtId"]] for at, it in styles if it.get("numFmtId") in formats}


def _elements(archive: zipfile.ZipFile, part: str, name: str, within: str = "") -> Iterator[Attributes]:
    found: list[Attributes] = []
    inside = [not within]

    def start(element: str, attributes: Attributes) -> None:
        if element == within:
            inside[0] = True
        elif element == name and inside[0]:
            found.append(dict(attributes))

    def end(element: str) -> None:
        if element == within:
            inside[0] = False

    with archive.open(part) as stream:
        parse(stream, start, end, lambda _: None)
    return iter(found)


def _position(reference: str) -> tuple[int, int]:
    """Return the indexes of row and column of a cell such as `AB12`. Raises `ValueError`."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - _BASE
    return int(reference[len(letters) :]) - 1, column - 1
