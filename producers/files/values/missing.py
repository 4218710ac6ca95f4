"""Decides for each field which words mean that a value is not known.

Words such as "unknown" mean it in every field. A few short words are also names and codes: "None" is a town in
Italy, "Nan" a province of Thailand, NA the code of Namibia and of Naples. In the fields of names and places they
are judged by how they are written, and in columns of codes by what the rest of the file shows.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache

from producers.files.values.cells import UnreadableCell
from producers.files.values.words import table
from worker.contract.placeholders import LONGEST_PLACEHOLDER, placeholder_kind, word_key

IsMissing = Callable[[str], bool]
"""Returns whether a cell's text means that the value is not known. Raises `UnreadableCell` if nobody can say."""

PLACES = frozenset(("hospital_name", "city", "county", "state", "country"))
"""The fields in which a short word may be a name or a code."""

CODES = PLACES - {"hospital_name"}
"""The fields that may contain codes of two letters."""

_CODE = re.compile(r"[A-Z]\.? ?[A-Z]\.?")
# North Carolina and Dakota, South Dakota, New Brunswick, Northern Ireland. With a slash, N/D means "no data".
_STATE = re.compile(r"N\. ?[BCDI]\.|S\. ?D\.")
_ZEROS = re.compile(r"0+(?:\.0+)?")


def is_missing(text: str) -> bool:
    """Return whether the text means "not known" in a field of numbers, dates, telephone or postal codes."""
    return len(text) <= LONGEST_PLACEHOLDER and placeholder_kind(text) is not None


def is_missing_text(text: str) -> bool:
    """Return whether the text means "not known" in a field of text that is not a name, such as an address."""
    return is_missing(text) or _ZEROS.fullmatch(text) is not None


def is_missing_attribute(text: str) -> bool:
    """Return whether the text means "not known" in a column of any content, where "none" may be an answer."""
    return placeholder_kind(text) in ("unknown", "short")


@cache
def _totals() -> frozenset[str]:
    return frozenset(map(word_key, table("words")["totals"]))


def _is_total_word(text: str) -> bool:
    # First what is fast, because this runs for every row of a file.
    return len(text) <= LONGEST_PLACEHOLDER and word_key(text) in _totals()


class PlaceWords:
    """Judges the words in one field of names or places.

    `codes` are words that are codes in this column; None: the column has no codes. Words that are names as well but
    count as missing here are counted in `changes`.
    """

    def __init__(self, field: str, codes: frozenset[str] | None, changes: Counter[str]) -> None:
        self._field = field
        self._is_state = field == "state"
        self._codes = codes
        self._changes = changes

    def is_missing(self, text: str) -> bool:
        """Return whether the text means "not known". Raises `UnreadableCell` if it may be a code as well."""
        kind = placeholder_kind(text)
        if kind is None:
            if self._field == "hospital_name" and _is_total_word(text):
                raise UnreadableCell("is the word for a total, so the row is not a hospital")
            return _ZEROS.fullmatch(text) is not None
        if (self._codes is not None and _CODE.fullmatch(text)) or (self._is_state and _STATE.fullmatch(text)):
            # NA may be Naples, N.D. may be North Dakota.
            if text in (self._codes or ()):
                return False
            raise UnreadableCell(
                f"may be a code or mean 'not known'; if it is a code, add it to {self._field}.codes in a profile"
            )
        if kind == "short":
            # "Nan" and "Leer" are written as names are; "None" is what Python writes.
            if text.istitle() and text != "None":
                return False
            self._changes[f"{text!r} counts as missing"] += 1
        return True
