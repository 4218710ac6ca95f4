"""Reads telephone numbers: without the word for a telephone in front, and joined from their parts."""

import re
from collections import Counter
from collections.abc import Sequence

from producers.files.values.cells import MISSING, CellReader, UnreadableCell

_SHORT_PART = re.compile(r"[+(]{0,2}\d{1,5}[)/-]?")
_WORD = re.compile(
    r"(?:tel(?:ef(?:on|ono|oon|ax)?|ephone)?|tél(?:éphone)?|tlf|tfn|ph(?:one)?|fon(?:e)?|t|т|тел(?:ефон)?|tālr(?:unis)?|τηλ|電話|电话|전화)"
    r"(?:\s*[.:\uff1a]+|\s)\s*(?=[\d+(])",
    re.IGNORECASE,
)
_WITHOUT_WORD = "a word such as 'tel.:' in front of the number is left out"


def is_short_part(value: object) -> bool:
    """Return whether a cell may be the area code of a telephone number: up to five digits."""
    return _SHORT_PART.fullmatch(str(value).strip()) is not None


def are_parts(first: Sequence[object]) -> bool:
    """Return whether the cells of the first of several columns are parts of numbers, and not whole ones."""
    return bool(first) and sum(map(is_short_part, first)) >= 0.9 * len(first)


class TelephoneReader:
    """Reads a telephone number with another reader, for each cell. `parts`: all cells are needed for one number."""

    def __init__(self, reader: CellReader, *, parts: bool) -> None:
        self._reader = reader
        self._parts = parts

    @property
    def changes(self) -> Counter[str]:
        """Those of the other reader."""
        return self._reader.changes

    def read(self, cells: Sequence[object]) -> object:
        """Return the number, or `MISSING`. Raises `UnreadableCell`."""
        if not self._parts:
            return self._without_word(self._reader.read(cells))
        values = [self._reader.read((cell,)) for cell in cells]
        texts = [value for value in values if isinstance(value, str)]
        if 0 < len(texts) < len(values):
            raise UnreadableCell("lacks a part of the telephone number")
        return " ".join(texts) if texts else MISSING

    def _without_word(self, value: object) -> object:
        # Nearly every number begins with a digit or a sign.
        if not isinstance(value, str) or not value[0].isalpha() or (match := _WORD.match(value)) is None:
            return value
        self.changes[_WITHOUT_WORD] += 1
        return value[match.end() :]
