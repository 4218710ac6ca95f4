"""Coordinates whose numbers have no sign, because the name of their column says it: "Longitud Oeste"."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from producers.files.values.angles import Axis
from producers.files.values.cells import CellReader, UnreadableCell
from producers.files.values.words import table
from producers.files.words import fold

# The side on which degrees are negative, and the other one; of each, the only letter that stands for it alone.
_SIDES: dict[Axis, tuple[tuple[str, str], tuple[str, str]]] = {
    "latitude": (("south", "s"), ("north", "n")),
    "longitude": (("west", "w"), ("east", "e")),
}
_LETTER = re.compile(r"[^\W\d_]")


def names_negative_side(column: str, axis: Axis) -> bool:
    """Return whether the name of a column says that its degrees are south or west, and not also the other side."""
    negative, positive = _SIDES[axis]
    return _says(column, *negative) and not _says(column, *positive)


def have_no_sign(reader: CellReader, sample: Iterable[object]) -> bool:
    """Return whether no coordinate in a sample has a sign or the letter of a hemisphere."""
    found = False
    for cell in sample:
        if isinstance(cell, str) and _LETTER.search(cell):
            return False
        try:
            degrees = reader.read((cell,))
        except UnreadableCell:
            continue
        if isinstance(degrees, float):
            if degrees < 0:
                return False
            found = found or degrees > 0
    return found


class UnsignedReader:
    """Reads with another reader, and takes what has no letter of a hemisphere for south or west."""

    def __init__(self, reader: CellReader) -> None:
        self._reader = reader
        self.changes = reader.changes

    def read(self, cells: Sequence[object]) -> object:
        """Return degrees, or `MISSING`. Raises `UnreadableCell`."""
        value = self._reader.read(cells)
        has_letter = any(isinstance(cell, str) and _LETTER.search(cell) for cell in cells)
        return -value if isinstance(value, float) and value > 0 and not has_letter else value


def _says(column: str, side: str, letter: str) -> bool:
    name = f" {fold(column)} "
    return f" {letter} " in name or any(f" {word} " in name for word in _words(side))


@cache
def _words(side: str) -> frozenset[str]:
    """Return the words for a side; a letter alone may mean anything in the name of a column."""
    return frozenset(word for word in map(fold, table("words")[side]) if len(word) > 1)
