"""Numbers among the names of places: cells that an unquoted delimiter has shifted into another column."""

import re
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Literal, get_args

from producers.files.values.missing import is_missing

NumberStyle = Literal["left out", "noted", "kept"]
"""What becomes of numbers in a field of places: left out and reported, kept and counted in a note, or just kept."""

STYLES: Sequence[NumberStyle] = get_args(NumberStyle)
IS_NUMBER = "is a number, unlike the other cells of its column"

_NUMBER = re.compile(r"\d[\d\s.,/-]*")
_DIGIT = re.compile(r"\d")
# The share of cells without any digit that shows a column of names, and the fewest cells that show anything.
_NAMES, _FEWEST_NAMES = 0.8, 10


def number_style(sample: Sequence[object]) -> NumberStyle:
    """Return what becomes of numbers in a column of places, by a sample of its cells.

    A number is left out only of a column of names. Where names have digits, or as many cells are numbers as not, it
    may be a code.
    """
    cells = [text for text in (str(cell).strip() for cell in sample) if text and not is_missing(text)]
    numbers = sum(1 for text in cells if _NUMBER.fullmatch(text))
    if 2 * numbers >= len(cells):
        return "kept"
    names = sum(1 for text in cells if not _DIGIT.search(text))
    return "left out" if names >= max(_FEWEST_NAMES, _NAMES * len(cells)) else "noted"


class Misplaced:
    """Finds numbers in the places of the rows of a file. `styles` are by field."""

    def __init__(self, styles: Mapping[str, NumberStyle]) -> None:
        self._styles = [(field, style) for field, style in styles.items() if style != "kept"]
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def take_out(self, values: MutableMapping[str, object], line: int) -> list[str]:
        """Remove the numbers that are to be left out, and return their fields. `line` is that of the row."""
        fields = []
        for field, style in self._styles:
            value = values.get(field)
            # Nearly every name begins with a letter.
            if not isinstance(value, str) or value[:1].isalpha() or not _NUMBER.fullmatch(value):
                continue
            if style == "left out":
                del values[field]
                fields.append(field)
            else:
                self._counts[field] += 1
                self._first.setdefault(field, f"{value[:50]!r}, line {line}")
        return fields

    def notes(self) -> list[str]:
        """Return how many numbers were kept, by field, with the first one."""
        return [
            f"{field}: {count:,} {'cell is a number' if count == 1 else 'cells are numbers'}, unlike the others "
            f"(first: {self._first[field]}); perhaps a delimiter without quotes has shifted the cells of these rows"
            for field, count in self._counts.items()
        ]
