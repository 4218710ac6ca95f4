"""Parts of a workbook in XML, read as a stream, and what is found in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

from producers.files.readers.number_formats import DigitFormat

_PIECE = 1 << 16
Attributes = Mapping[str, str]
Range = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last cell of a merged range, each by row and column from 0."""


@dataclass(slots=True)
class CellFacts:
    """Of a sheet: its cells with a format of digits, by row and column from 0, and formulas without a result.

    `merged` are the merged ranges that the reader of workbooks does not know, `hidden_rows` the rows that are not
    shown, from 0.
    """

    formatted: list[tuple[int, int, DigitFormat]] = field(default_factory=list)
    without_result: int = 0
    merged: list[Range] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)


def parse(
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


def contains(stream: IO[bytes], *words: bytes) -> bool:
    """Return whether a stream has one of these words of up to 20 bytes."""
    before = b""
    while piece := stream.read(_PIECE):
        text = before + piece
        if any(word in text for word in words):
            return True
        before = text[-20:]
    return False
