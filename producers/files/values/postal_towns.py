"""Divides cells that have a postal code and a town: "01440 VIRIAT", "1012 AB Amsterdam", "London SW1A 1AA"."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from producers.files.values.cells import MISSING, CellReader, UnreadableCell

PostalTownStyle = Literal["letters", "digits"]
"""How the codes of a column are written; `letters`: as in the Netherlands, with two letters behind the digits."""
Part = Literal["code", "town"]

STYLES: Sequence[PostalTownStyle] = get_args(PostalTownStyle)
_NEARLY_ALL = 0.9
# In a column of towns; a single one may be called "Bø". Two letters may be part of a code.
_SHORTEST_TOWN = 3
_PREFIX = "(?:[A-Z]{1,3}-)?"
# Three digits may number wards, so only those with other signs count.
_DIGITS = r"\d{3} \d{2}|\d{2}-\d{3}|\d{4}-\d{3}|\d{5}-\d{3,4}|\d{3}-\d{4}|\d{4,7}"
_LONG = r"[A-Z]{1,3}-\d{4,6}|\d{5}(?:-\d{3,4})?|\d{3} \d{2}"
_MIXED = r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d"
_CODE = re.compile(rf"{_PREFIX}(?:{_DIGITS}|{_MIXED}|\d{{4}} ?[A-Z]{{2}})")
_TOWN = r"(?P<town>['\u2019(]?[^\W\d_].*?)"
_FORMS: Mapping[PostalTownStyle, tuple[re.Pattern[str], ...]] = {
    "letters": (re.compile(rf"(?P<code>{_PREFIX}\d{{4}} ?(?P<letters>[A-Z]{{2}}))[ ,;]+{_TOWN}"),),
    "digits": (
        re.compile(rf"(?P<code>{_PREFIX}(?:{_DIGITS}|{_MIXED}))[ ,;]+{_TOWN}"),
        # Behind a town, a few digits may be anything else.
        re.compile(rf"{_TOWN}[ ,;]+(?P<code>{_MIXED}|{_LONG})"),
        re.compile(rf"{_TOWN}, *(?P<code>{_PREFIX}(?:{_DIGITS}))"),
    ),
}
# "2300 LA CHAUX-DE-FONDS" has a code of four digits.
_ARTICLES = frozenset(("LA", "LE", "EL", "DE", "DI", "IL", "LO", "ST", "DU", "DA", "AL", "LES", "SV"))


def postal_town_style(sample: Sequence[object]) -> PostalTownStyle | None:
    """Return how the cells of a column write postal codes beside towns, or None if most have no such pair."""
    texts = [_plain(cell) for cell in sample if isinstance(cell, str) and cell.strip()]
    for style in STYLES:
        found = [match for text in texts if (match := _match(text, style)) is not None]
        articles = style == "letters" and all(match["letters"] in _ARTICLES for match in found)
        towns = [match for match in found if len(match["town"]) >= _SHORTEST_TOWN]
        if towns and not articles and len(towns) >= _NEARLY_ALL * len(texts):
            return style
    return None


class PartReader:
    """Reads the code or the town of cells that have both, with another reader."""

    def __init__(self, reader: CellReader, style: PostalTownStyle, part: Part) -> None:
        self._reader = reader
        self._style = style
        self._part = part

    @property
    def changes(self) -> Counter[str]:
        """Those of the other reader."""
        return self._reader.changes

    def read(self, cells: Sequence[object]) -> object:
        """Return the part, or `MISSING`. Raises `UnreadableCell`.

        A cell that has only a code or only a town is missing for the other.
        """
        cell = cells[0]
        match = _match(_plain(cell), self._style) if isinstance(cell, str) else None
        if match is not None:
            return self._reader.read((match[self._part],))
        is_code = _CODE.fullmatch(str(cell).strip()) is not None
        if is_code != (self._part == "code"):
            if is_code or not any(map(str.isdecimal, str(cell))):
                return MISSING
            raise UnreadableCell("has no postal code that can be told from the town")
        return self._reader.read(cells)


def _plain(cell: str) -> str:
    # The Japanese sign of the post stands in front of a code, and is not part of it.
    return " ".join(cell.split()).lstrip("\u3012\u3036 ")


def _match(text: str, style: PostalTownStyle) -> re.Match[str] | None:
    if _CODE.fullmatch(text):
        return None
    return next((match for form in _FORMS[style] if (match := form.fullmatch(text)) is not None), None)
