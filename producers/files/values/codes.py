"""Whether a column has codes of two letters, and which words for "not known" are codes in it: NA may be Naples."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from producers.files.values.missing import PLACES
from producers.files.values.words import table
from worker.contract.placeholders import LONGEST_PLACEHOLDER, placeholder_kind

_CODE = re.compile(r"[A-Z]\.? ?[A-Z]\.?")
_MOST = 0.8
_NAPLES = "NA"


def is_code(text: str) -> bool:
    """Return whether the text is written as a code of two letters is."""
    return _CODE.fullmatch(text) is not None


def codes_like_words(samples: Mapping[str, Sequence[object]], field: str) -> tuple[bool, frozenset[str]]:
    """Return whether a field has codes of two letters, and which words for "not known" are codes in it.

    `samples` maps fields to cells. A word is a code if the column has it, nearly all of its values are codes, and
    no column has the word that can only mean "not known" by it. If less is known, no word is a code, and none is
    certain to mean "not known" either.
    """
    counts = Counter(text.strip() for text in _texts(samples[field]))
    # NA alone says nothing of its column, but ND and SD are written for North and South Dakota.
    dakota = ("ND", "SD") if field == "state" else ()
    values = {text for text in counts if placeholder_kind(text) is None or text in dakota}
    codes = {text for text in values if is_code(text)}
    # Cells of other columns, where a row is shifted, have more different values than there are codes.
    nearly_all = bool(codes) and len(codes) >= _MOST * len(values)
    if not nearly_all and (not codes or 2 * _cells(counts, codes) < _cells(counts, values)):
        return False, frozenset()
    plain = {re.sub("[. ]", "", code) for code in codes}
    italian = _of(plain, "italy") >= _MOST * len(plain)
    if not nearly_all and not italian:
        return True, frozenset()
    elsewhere = {
        cell.strip()
        for other, cells in samples.items()
        if other not in PLACES and not other.startswith("attributes.")
        for cell in set(_texts(cells))
    }
    words = {text for text in counts if placeholder_kind(text) is not None and is_code(text)} - elsewhere
    if field != "country" and _of(plain, "north_america") == len(plain):
        words = {word for word in words if re.sub("[. ]", "", word) != _NAPLES}
    return True, frozenset(words)


def _of(codes: Collection[str], country: str) -> int:
    return len(set(codes).intersection(table("codes")[country]))


def _cells(counts: Counter[str], texts: Iterable[str]) -> int:
    return sum(counts[text] for text in texts)


def _texts(cells: Iterable[object]) -> Iterable[str]:
    return (cell for cell in cells if isinstance(cell, str) and len(cell) <= LONGEST_PLACEHOLDER)
