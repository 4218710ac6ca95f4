"""Reads what converters of KML write into the description of a place: an HTML table of names and values."""

import html
import re
from collections.abc import Mapping

_ROW = re.compile(r"<tr\b[^>]*>(.*?)</tr\s*>", re.IGNORECASE | re.DOTALL)
_CELL = re.compile(r"<t[hd]\b[^>]*>(.*?)</t[hd]\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def described(properties: Mapping[str, object]) -> dict[str, str]:
    """Return the values of the table in the description of a feature, by name; none if there is no table."""
    for name, value in properties.items():
        if name.casefold() == "description" and isinstance(value, str) and "<t" in value.casefold():
            rows = ([_text(cell) for cell in _CELL.findall(row)] for row in _ROW.findall(value))
            return {cells[0]: cells[1] for cells in rows if len(cells) == 2 and cells[0]}
    return {}


def _text(cell: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", cell)).split())
