"""Lists that write 0 wherever something is not known: their zeros are neither numbers nor answers."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from producers.files.values.cells import MISSING, CellReader

ZerosStyle = Literal["missing", "kept"]
"""What becomes of the zeros of a column."""

_WORDS = ("address", "city", "county", "state", "country", "ownership")
_ZERO = re.compile(r"0+(?:\.0+)?")
# A single one may be a slip.
_FEWEST = 2
_OFTEN = 0.05
_MOST = 0.5


def zeros_style(
    given: str | None, field: str, samples: Mapping[str, Sequence[object]]
) -> tuple[ZerosStyle | None, str]:
    """Return what becomes of the zeros of a field of numbers or answers, and a note on it if there is one.

    `samples` has cells of the column of each field; `given` is the decision of a profile. None: there is none.
    """
    style = next((it for it in get_args(ZerosStyle) if it == given), None)
    cells = [str(cell).strip() for cell in samples[field]]
    # Beside a 1 it is the other answer.
    is_answer = field == "emergency_services" and "1" in cells
    words = field_with_zeros(samples)
    if style is not None or words is None or is_answer or not any(map(_ZERO.fullmatch, cells)):
        return style, ""
    return "missing", f"{words} has 0 for what is not known, so a 0 of {field} is left out"


def field_with_zeros(samples: Mapping[str, Sequence[object]]) -> str | None:
    """Return the first field of words in whose column 0 stands again and again, or None.

    `samples` has cells of the column of each field. Where most of the others are codes without letters, 0 is one.
    """
    for field in _WORDS:
        cells = [str(cell).strip() for cell in samples.get(field, ())]
        zeros = sum(_ZERO.fullmatch(cell) is not None for cell in cells)
        words = sum(any(map(str.isalpha, cell)) for cell in cells)
        if zeros >= max(_FEWEST, _OFTEN * len(cells)) and words >= _MOST * (len(cells) - zeros) > 0:
            return field
    return None


class ZeroIsMissing:
    """Reads a zero as `MISSING`, and other cells with another reader."""

    def __init__(self, reader: CellReader) -> None:
        self._reader = reader

    @property
    def changes(self) -> Counter[str]:
        """Those of the other reader."""
        return self._reader.changes

    def read(self, cells: Sequence[object]) -> object:
        """Return the value, or `MISSING`. Raises `UnreadableCell`."""
        is_zero = len(cells) == 1 and _ZERO.fullmatch(str(cells[0]).strip())
        return MISSING if is_zero else self._reader.read(cells)
