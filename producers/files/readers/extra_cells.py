"""Judges rows that have empty cells after the last: they end with a delimiter, or one in a cell lacks quotes.

In `2,Elm Clinic, North,Pisa,` the name has a comma, and the last column is empty. So each cell behind the name is
in the column after its own, and the cell too many is empty, as in lists whose rows end with a delimiter.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from producers.files.values.missing import is_missing

SHIFTED = (
    "has an empty cell after the last column, and its cells may be shifted by a delimiter that is text and not in "
    "quotes: put them into their columns; if they are right, remove the delimiter at the end of the row in the list"
)
"""Why such a row is not used."""

# All costs are in nats. How much less likely a row must be with one of its delimiters as text, to be kept as it is.
_MARGIN = 2.0
# A value that its column does not have so far.
_NEW_TEXT = 6.0
# A delimiter in a text is mostly a comma with a blank behind it.
_WITH_BLANK, _WITHOUT_BLANK = 0.1, 2.3
_FEWEST_ALIKE = 2
_SELDOM, _FEW = 0.01, 0.2
# Delimiters of one row that may be text. More are as unlikely as the row is wrong.
_MOST_JOINED = 2
_Kind = Literal["", "number", "digits", "words"]


class ExtraCells:
    """Knows from the first rows what the columns contain, and with how many empty cells more the rows end.

    `rows` are the first rows below the header, and `lines` their text. A last column that has no name and is hardly
    ever filled is none: its cells may be the shifted ones of others.
    """

    def __init__(
        self, rows: Sequence[Sequence[str]], lines: Sequence[str], delimiter: str, columns: Sequence[str]
    ) -> None:
        self._width = width = len(columns)
        counts = Counter(len(row) - width for row in rows if any(row[:width]) and not any(row[width:]))
        # One row alone does not show how others end.
        usual = max(
            (it for it in counts if it >= 0 and counts[it] > 1), key=lambda it: (counts[it], -it), default=0
        )
        self._most = width + usual
        whole = [row for row in rows if len(row) == self._most and not any(row[width:])]
        last = _Column([_text(row[width - 1]) for row in whole])
        self._has_seldom_last = columns[-1] == f"column {width}" and last.share_filled <= _FEW
        if self._has_seldom_last:
            whole = [row for row in whole if not row[width - 1]]
        self._columns = [*(_Column([_text(row[at]) for row in whole]) for at in range(width - 1)), last]
        delimiters = sum(line.count(delimiter) for line in lines)
        blanks = sum(line.count(f"{delimiter} ") for line in lines) / max(delimiters, 1)
        self._blank_between = {is_blank: _cost(share) for is_blank, share in ((True, blanks), (False, 1 - blanks))}

    def may_be_shifted(self, cells: Sequence[str]) -> bool:
        """Return what is fast to know: whether a row has more empty cells behind than most, or fills the last."""
        if len(cells) < self._width or any(cells[self._width :]):
            return False
        return len(cells) > self._most or (self._has_seldom_last and bool(cells[self._width - 1]))

    def are_shifted(self, cells: Sequence[str], raw: Sequence[str]) -> bool:
        """Return whether the cells of a row that `may_be_shifted` do not clearly fit better as they are.

        `raw` are its cells with the blanks in front of them, or none if these are not known.
        """
        texts = [*map(_text, cells), ""]
        blanks = [*(cell[:1] == " " for cell in raw), False] if len(raw) == len(cells) else []
        as_it_is = sum(self._alone(texts, blanks, at, at) for at in range(self._width))
        joined = self._joined(texts, blanks, min(max(len(cells) - self._width, 1), _MOST_JOINED))
        is_unlike = any(column.is_unlike(text) for column, text in zip(self._columns, texts, strict=False))
        return as_it_is + _MARGIN > joined or (is_unlike and joined < math.inf)

    def _joined(self, texts: Sequence[str], blanks: Sequence[bool], most: int) -> float:
        """Return the cost of the likeliest reading in which up to `most` delimiters are text, but at least one."""
        # By how many delimiters are text so far: the cost of the columns so far.
        costs = {0: 0.0}
        for column in range(self._width):
            longer: dict[int, float] = {}
            for joined, cost in costs.items():
                for more in range(most - joined + 1):
                    first = column + joined
                    its = cost + self._of_several(texts, blanks, column, range(first, first + more + 1))
                    longer[joined + more] = min(longer.get(joined + more, math.inf), its)
            costs = longer
        return min(cost for joined, cost in costs.items() if joined)

    def _of_several(self, texts: Sequence[str], blanks: Sequence[bool], column: int, cells: range) -> float:
        if len(cells) == 1:
            return self._alone(texts, blanks, column, cells.start)
        if not all(texts[at] for at in cells):
            return math.inf
        text = " ".join(texts[at] for at in cells)
        between = [_WITH_BLANK if blanks and blanks[at] else _WITHOUT_BLANK for at in cells[1:]]
        return self._between(blanks, cells.start) + sum(between) + self._columns[column].cost(text, len(cells))

    def _alone(self, texts: Sequence[str], blanks: Sequence[bool], column: int, at: int) -> float:
        return self._between(blanks, at) + self._columns[column].cost(texts[at], 1)

    def _between(self, blanks: Sequence[bool], at: int) -> float:
        return self._blank_between[blanks[at]] if blanks and at else 0.0


class _Column:
    """What a column contains: how often each value and each kind of value."""

    def __init__(self, cells: Sequence[str]) -> None:
        self._rows = len(cells)
        self._kinds = Counter(map(_kind, cells))
        self._values = Counter(filter(None, cells))
        self._filled = self._values.total()
        new = sum(1 for count in self._values.values() if count == 1)
        self._new = _cost(max(new, 1) / (self._filled + 1))
        self.share_filled = self._filled / max(self._rows, 1)

    def is_unlike(self, text: str) -> bool:
        """Return whether a text is words among numbers, or a number among words."""
        if self._kinds["digits"]:
            return False
        kind = _kind(text)
        if kind == "words":
            return not self._kinds["words"] and self._kinds["number"] >= _FEWEST_ALIKE
        return kind == "number" and not self._kinds["number"] and self._kinds["words"] >= _FEWEST_ALIKE

    def cost(self, text: str, parts: int) -> float:
        """Return how unlikely a text of so many cells is in this column."""
        kind = _cost((self._kinds[_kind(text)] + 0.5) / (self._rows + 2))
        if not text:
            return kind
        count = self._values[text]
        return kind + (_cost(count / (self._filled + 1)) if count else self._new + parts * _NEW_TEXT)


def _text(cell: str) -> str:
    text = cell.strip()
    return "" if is_missing(text) else text


def _cost(share: float) -> float:
    return -math.log(max(share, _SELDOM))


def _kind(cell: str) -> _Kind:
    if not any(map(str.isdigit, cell)):
        return "words" if cell else ""
    return "digits" if any(map(str.isalpha, cell)) else "number"
