"""Rows that fill nothing but one cell: regions and sections of a list, and footnotes below it.

Lists in which hospitals are known by name alone have many such rows, or others that are hardly fuller. So what they
are is decided by all rows of a file.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

from producers.files.rows.phrases import begins_legend, names_an_area
from producers.files.table import EMPTY_DASHES, REASON_COLUMN, RawRow, Table, own_cells
from producers.files.values.words import table as words
from producers.files.words import fold, names_a_hospital

ALONE = (
    "fills only one cell, unlike nearly all other rows, as names of regions and footnotes do; if it is a hospital, "
    "fill in another cell of the row and load the rejected rows"
)
"""Why such a row is not applied."""

_FEWEST_OTHERS = 5
_NEARLY_ALL = 0.9
# The largest part of the rows that may be sections, and that may have names of hospitals.
_MOST, _MOST_NAMED = 0.25, 0.05
# Of small sections, there is one for each hospital or two.
_MOST_HEADINGS, _FEWEST_HEADINGS = 0.5, 3
_FULL = 3
_MOST_HELD = 10_000
_is_blank = frozenset(("", None, *EMPTY_DASHES)).__contains__
# Of the heading of a section; some hospitals have "Hospitals" in their longer names.
_MOST_WORDS = 4
_WORD = re.compile(r"[^\W\d_]+")
_FOOTNOTE = ("*", "†", "‡", "※", "¹", "²")


class LoneNames:
    """Counts the rows of a file with one filled cell, and decides whether they are hospitals.

    Give each usable row to `holds` first; then `hospitals`, `reason` and `notes` may be asked.
    """

    def __init__(self, table: Table) -> None:
        self._applies = table.dialect.format in ("csv", "workbook") and len(table.columns) > 1
        self._is_of_rejects = REASON_COLUMN in table.columns
        self._held: list[RawRow] = []
        self._others: Counter[int] = Counter()
        self._last = 0
        self._begins = self._is_below_one = False
        self._follows = 0
        self._named = 0

    def holds(self, row: RawRow) -> bool:
        """Return whether a row has one filled cell, so that nobody knows yet what it is."""
        text = self._text(row.fields)
        if text is None or len(self._held) >= _MOST_HELD:
            if self._applies:
                self._others[len(row.fields) - sum(map(_is_blank, row.fields.values()))] += 1
            self._last = row.line
            self._is_below_one = False
            return False
        self._begins = self._begins or not (self._others or self._held)
        self._follows += self._is_below_one
        self._is_below_one = True
        self._held.append(row)
        self._named += names_a_hospital(text)
        return True

    def is_alone(self, row: RawRow) -> bool:
        """Return whether a row has one filled cell."""
        return self._text(row.fields) is not None

    def hospitals(self) -> Iterator[RawRow]:
        """Yield the held rows that are hospitals after all."""
        # A few rejected rows may all be such, and their list's profile names their columns.
        return (row for row in self._held if self._is_of_rejects or self.reason(row.fields) is None)

    def reason(self, fields: Mapping[str, object]) -> str | None:
        """Return why a row is not a hospital, or None."""
        text = self._text(fields) if self._held else None
        if text is None:
            return None
        if self._is_of_rejects:
            return ALONE if str(fields.get(REASON_COLUMN) or "").startswith(ALONE) else None
        return ALONE if self._is_unlike_others(text) else None

    def notes(self) -> list[str]:
        """Return a note if there are such rows with others below, whose place they may name."""
        above = [row for row in self._held if row.line < self._last and self.reason(row.fields) is not None]
        if not above or self._is_of_rejects:
            return []
        is_one = len(above) == 1
        rows = "1 row fills" if is_one else f"{len(above):,} rows fill"
        become = "is not loaded; if it names" if is_one else "are not loaded; if they name"
        first = " ".join((self._text(above[0].fields) or "").split())[:40]
        note = (
            f"{rows} only one column, first {first!r} in line {above[0].line}, and {become} "
            "the place of the hospitals below, that is not read: add a column with it"
        )
        return [note]

    def _text(self, fields: Mapping[str, object]) -> str | None:
        """Return the text of the only filled cell, or None."""
        if not self._applies:
            return None
        # First what is fast, because this runs for every row of a file.
        if not self._is_of_rejects and 2 * sum(map(_is_blank, fields.values())) < len(fields):
            return None
        filled = own_cells(fields)
        return next(iter(filled.values())) if len(filled) == 1 else None

    def _is_unlike_others(self, text: str) -> bool:
        others = self._others.total()
        share = len(self._held) / (others + len(self._held))
        if others >= _FEWEST_OTHERS and text.startswith(_FOOTNOTE) and not names_a_hospital(text):
            # The mark says so, however many there are.
            return True
        if others < _FEWEST_OTHERS or share > (_MOST_HEADINGS if self._are_headings() else _MOST):
            return False
        full = sum(count for filled, count in self._others.items() if filled >= _FULL)
        if names_a_hospital(text) and not _is_footnote(text) and not _is_of_several(text):
            return full >= _NEARLY_ALL * others and self._named <= _MOST_NAMED * others
        # Of a hospital, too, the only other cell may be unknown.
        return full >= _NEARLY_ALL * others or _is_footnote(text) or names_an_area(text)

    def _are_headings(self) -> bool:
        """Return whether such a row begins the list, hardly one follows another, and none is called a hospital."""
        held = len(self._held)
        return self._begins and held >= _FEWEST_HEADINGS and not self._named and self._follows <= 0.1 * held


def _is_of_several(text: str) -> bool:
    """Return whether a short text speaks of hospitals in the plural, as "District hospitals (3)" does."""
    plain = f" {' '.join(_WORD.findall(text.casefold()))} "
    return plain.count(" ") <= _MOST_WORDS + 1 and any(f" {several} " in plain for several in _several())


@cache
def _several() -> frozenset[str]:
    return frozenset(" ".join(_WORD.findall(it.casefold())) for it in words("words")["hospitals"])


def _is_footnote(text: str) -> bool:
    if text.startswith("(") and text.endswith(")"):
        # A name before, or another remark on the row above.
        return True
    first = fold(text.partition(":")[0]) if ":" in text else ""
    return text.startswith(_FOOTNOTE) or first in _words("footnotes") or (bool(first) and begins_legend(text))


@cache
def _words(kind: str) -> frozenset[str]:
    return frozenset(map(fold, words("words")[kind]))
