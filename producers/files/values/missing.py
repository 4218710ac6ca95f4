"""Decides for each field which words mean that a value is not known.

Words such as "unknown" mean it in every field. A few short words are also names and codes: "None" is a town in
Italy, "Nan" a province of Thailand, NA the code of Namibia and of Naples. In the fields of names and places they
are judged by how they are written, and by whether the rest of the file uses them for missing values.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from producers.files.values.cells import UnreadableCell
from worker.contract.placeholders import LONGEST_PLACEHOLDER, placeholder_kind

IsMissing = Callable[[str], bool]
"""Returns whether a cell's text means that the value is not known. Raises `UnreadableCell` if nobody can say."""

PLACES = frozenset(("hospital_name", "city", "county", "state", "country"))
"""The fields in which a short word may be a name or a code."""

_CODES = frozenset(("state", "country"))
_CODE = re.compile(r"[A-Z]\.? ?[A-Z]\.?")
_SHARE_OF_CODES = 0.8
# A place that this share of the hospitals is in would be a large city. None of them is called None.
_SHARE_OF_MISSING = 0.02
_LEAST_MISSING = 2


def is_missing(text: str) -> bool:
    """Return whether the text means "not known" in a field of numbers, dates, telephone or postal codes."""
    return len(text) <= LONGEST_PLACEHOLDER and placeholder_kind(text) is not None


def is_missing_attribute(text: str) -> bool:
    """Return whether the text means "not known" in a column of any content, where "none" may be an answer."""
    return placeholder_kind(text) in ("unknown", "short")


def words_for_missing(samples: Mapping[str, Sequence[object]]) -> frozenset[str]:
    """Return the short words that stand, exactly so, in sampled columns where they cannot be a name or a code.

    `samples` maps fields to cells.
    """
    return frozenset(
        cell.strip()
        for field, cells in samples.items()
        if field not in PLACES and not field.startswith("attributes.")
        for cell in set(_texts(cells))
        if placeholder_kind(cell) in ("short", "none")
    )


@dataclass(frozen=True, slots=True)
class PlaceStyle:
    """The short words that mean "not known" in a field of names or places, and whether it has codes."""

    missing: frozenset[str] = frozenset()
    codes: bool = False


def place_style(field: str, sample: Sequence[object], used_elsewhere: frozenset[str]) -> tuple[PlaceStyle, str]:
    """Decide what short words mean in a field; say what a person should know.

    `used_elsewhere` has the words that mean "not known" in other fields of the same file.
    """
    counts = Counter(text.strip() for text in _texts(sample))
    kinds = {text: placeholder_kind(text) for text in counts}
    codes = field in _CODES and _mostly_codes(counts, kinds)
    least = max(_LEAST_MISSING, _SHARE_OF_MISSING * counts.total())
    frequent = {
        text
        for text, kind in kinds.items()
        if kind in ("short", "none") and counts[text] >= least and not codes and not _is_name(text)
    }
    note = ", ".join(
        f"{text!r} counts as missing ({counts[text]} of {counts.total()} sampled cells)"
        for text in sorted(frequent)
    )
    return PlaceStyle(used_elsewhere | frequent, codes), f"{field}: {note}" if note else ""


class PlaceWords:
    """Judges the short words in one field of names or places."""

    def __init__(self, style: PlaceStyle, *, required: bool) -> None:
        self._missing = style.missing
        self._codes = style.codes
        self._required = required

    def is_missing(self, text: str) -> bool:
        """Return whether the text means "not known". Raises `UnreadableCell` if it may be a place as well."""
        kind = placeholder_kind(text) if len(text) <= LONGEST_PLACEHOLDER else None
        if kind is None:
            return False
        if self._codes and _CODE.fullmatch(text):
            # N.D. may be North Dakota, NA may be Naples.
            if text in self._missing:
                raise UnreadableCell("may be a code or mean 'not known'")
            return False
        if kind == "unknown" or not text.isascii() or " " in text or text.islower() or text in self._missing:
            return True
        # A record without a name is rejected with a reason, so nothing is hidden there.
        if _is_name(text) or self._required:
            return not _is_name(text)
        raise UnreadableCell("may be a name or mean 'not known'")


def _is_name(text: str) -> bool:
    # "Nan" and "Leer" are written as names are; "None" is what Python writes.
    return text.istitle() and text != "None"


def _mostly_codes(counts: Counter[str], kinds: Mapping[str, object]) -> bool:
    values = [text for text in counts if kinds[text] is None]
    return bool(values) and sum(bool(_CODE.fullmatch(text)) for text in values) >= _SHARE_OF_CODES * len(values)


def _texts(cells: Iterable[object]) -> Iterable[str]:
    return (cell for cell in cells if isinstance(cell, str) and len(cell) <= LONGEST_PLACEHOLDER)
