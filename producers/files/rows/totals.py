"""Rows with the totals of a list or of a part of it, whose name says more than the word: "Total DAKAR".

A hospital may have the word in its name, too, so such a row must also lack what nearly all rows have.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from producers.files.statistics import ColumnStatistics
from producers.files.table import EMPTY_DASHES, REASON_COLUMN, own_cells
from producers.files.values.cells import MappedColumns
from producers.files.values.words import table
from producers.files.words import fold, names_a_hospital

LOOKS_LIKE_A_TOTAL = (
    "looks like a total: its name has the word for it, and besides numbers it lacks what other rows have; "
    "if it is a hospital, fill in another cell of the row, such as its city, and load the rejected rows"
)
"""Why such a row is not applied."""
_NEARLY_ALL = 0.9
_BLANK = frozenset(("", None, *EMPTY_DASHES))
_LONGEST = 100


class Totals:
    """Distinguishes totals from hospitals by the columns of a file and what they contain."""

    def __init__(self, mapped: Sequence[MappedColumns], statistics: Mapping[str, ColumnStatistics]) -> None:
        self._names = frozenset(column for it in mapped if it.field == "hospital_name" for column in it.columns)
        self._usual = tuple(
            column
            for column, known in statistics.items()
            if known.share_filled >= _NEARLY_ALL and column not in self._names
        )

    def reason(self, fields: Mapping[str, object]) -> str | None:
        """Return why a row is no hospital, or None."""
        is_known = REASON_COLUMN in fields and str(fields[REASON_COLUMN]).startswith(LOOKS_LIKE_A_TOTAL)
        # First what is fast, because this runs for every row of a file. The few rows of rejects do not show what
        # the rows of their list have.
        if not is_known and self._has_all(fields):
            return None
        name = " ".join(str(fields.get(column) or "") for column in self._names)
        if len(name) > _LONGEST or not _has_word(name) or names_a_hospital(name):
            return None
        own = own_cells(fields)
        if not (is_known or any(column not in own for column in self._usual)):
            return None
        others = (text for column, text in own.items() if column not in self._names)
        return None if any(map(_has_letter, others)) else LOOKS_LIKE_A_TOTAL

    def _has_all(self, fields: Mapping[str, object]) -> bool:
        """Return whether a row has what nearly all rows have."""
        try:
            return _BLANK.isdisjoint(map(fields.get, self._usual))
        except TypeError:
            # A list of a JSON record.
            return False


@cache
def _words() -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the words for a total, and those of languages that do not separate words."""
    known = frozenset(map(fold, table("words")["totals"]))
    return known, tuple(word for word in known if len(word) > 1 and word[0] >= "\u2e80")


def _has_word(name: str) -> bool:
    """Return whether a name has more words than one for a total, with which it begins or ends."""
    tokens = fold(name).split()
    known, joined = _words()
    if " ".join(tokens) in known:
        # The word alone is no name, whatever else the row has.
        return False
    most = min(len(tokens), 3)
    edges = (side for count in range(1, most + 1) for side in (tokens[:count], tokens[-count:]))
    return any(" ".join(side) in known for side in edges) or (bool(tokens) and tokens[-1].endswith(joined))


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
