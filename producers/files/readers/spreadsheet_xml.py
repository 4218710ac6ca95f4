"""What the reader of workbooks does not say of an xlsx: number formats with zeros, and formulas without a result.

A part of the workbook is parsed only if it has such a thing: a sheet of numbers and texts costs a search.
"""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

from producers.files.readers.number_formats import DigitFormat, digit_format

_PIECE = 1 << 16
_BASE = ord("A") - 1
Attributes = Mapping[str, str]


@dataclass(slots=True)
class CellFacts:
    """Of a sheet: its cells with a format of digits, by row and column from 0, and formulas without a result."""

    formatted: list[tuple[int, int, DigitFormat]] = field(default_factory=list)
    without_result: int = 0


class SpreadsheetXml:
    """The parts of an xlsx. Anything else, and what cannot be parsed, has no facts: the reader itself complains."""

    def __init__(self, data: bytes) -> None:
        self._archive: zipfile.ZipFile | None = None
        self._parts: dict[str, str] = {}
        self._formats: dict[str, DigitFormat] = {}
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
            self._parts = _parts_of_sheets(archive)
            self._formats = _digit_formats(archive)
            self._archive = archive
        except (zipfile.BadZipFile, KeyError, expat.ExpatError, ValueError, NotImplementedError, OSError):
            self._parts = {}

    def facts(self, sheet: str) -> CellFacts:
        """Return what is known of a sheet."""
        part = self._parts.get(sheet)
        if part is None or self._archive is None:
            return CellFacts()
        try:
            with self._archive.open(part) as stream:
                if not self._formats and not _contains(stream, b"<f>", b"<f ", b":f>", b":f "):
                    return CellFacts()
            with self._archive.open(part) as stream:
                return _SheetParser(self._formats).read(stream)
        except (zipfile.BadZipFile, KeyError, expat.ExpatError, ValueError, NotImplementedError, OSError):
            return CellFacts()


class _SheetParser:
    def __init__(self, formats: Mapping[str, DigitFormat]) -> None:
        self._formats = formats
        self._facts = CellFacts()
        self._has_formula = self._has_value = self._is_text = self._in_value = False

    def read(self, stream: IO[bytes]) -> CellFacts:
        _parse(stream, self._start, self._end, self._text)
        return self._facts

    def _start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._has_formula = self._has_value = False
            self._is_text = attributes.get("t", "n") != "n"
            number_format = self._formats.get(attributes.get("s", ""))
            if number_format is not None and not self._is_text and "r" in attributes:
                row, column = _position(attributes["r"])
                self._facts.formatted.append((row, column, number_format))
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
    for sheet in _elements(archive, "xl/workbook.xml", "sheet"):
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
        _parse(stream, start, end, lambda _: None)
    return iter(found)


def _parse(
    stream: IO[bytes],
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Call the functions with the elements' names, without their prefix. Raises `ExpatError` or `ValueError`."""

    def refuse(*_: Any) -> None:
        raise ValueError("workbooks declare no entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = refuse
    while piece := stream.read(_PIECE):
        parser.Parse(piece)
    parser.Parse(b"", True)


def _contains(stream: IO[bytes], *words: bytes) -> bool:
    before = b""
    while piece := stream.read(_PIECE):
        text = before + piece
        if any(word in text for word in words):
            return True
        before = text[-8:]
    return False


def _position(reference: str) -> tuple[int, int]:
    """Return the indexes of row and column of a cell such as `AB12`. Raises `ValueError`."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - _BASE
    return int(reference[len(letters) :]) - 1, column - 1
