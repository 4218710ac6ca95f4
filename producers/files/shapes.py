"""What a cell looks like: a number, a date, a pair of coordinates, yes or no, text."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Literal

from producers.files.words import fold, word_set

Shape = Literal[
    "number", "integer", "decimal comma", "year", "date", "latitude", "longitude", "coordinates", "yes or no",
    "web address", "email address", "phone number", "digits", "text",
]  # fmt: skip
"""`digits`: contains a digit. `text`: more letters than digits. `latitude` and `longitude`: degrees within ±90 and
±180, so a latitude is also a longitude. `coordinates`: both in one cell."""

_INTEGER = re.compile(r"[+-]?\d+(\.0+)?")
_NUMBER = re.compile(
    r"[+-]?(\d*[.,]\d+|\d+[.,]?)(e[+-]?\d+)?|[+-]?\d{1,3}([., '\u00a0\u202f]\d{3})+([.,]\d+)?", re.IGNORECASE
)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}([. ]\d{3})+,\d+")
_YEAR = re.compile(r"(19|20)\d\d")
_TIME = r"([T ,]+\d{1,2}:\d\d.*)?"
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}" + _TIME
    + r"|\d{1,2}(st|nd|rd|th)?[-/. ]+(\d{1,2}|[^\W\d_]{3,12}\.?)[-/., ]+(\d{4}|\d\d)" + _TIME
    + r"|[^\W\d_]{3,12}\.? +\d{1,2}(st|nd|rd|th)?,? +\d{4}" + _TIME
    + r"|(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])"
    + r"|\d{4} ?[年년] ?\d{1,2} ?[月월] ?\d{1,2} ?[日일]",
    re.IGNORECASE,
)  # fmt: skip
_DEGREES = re.compile(
    r"(?:[NSEW][ :]*)?([+-]?\d{1,3}(?:[.,]\d+)?) *(?:[°ºd](?![a-z]))?"
    r"(?:(?<=[°ºd ]) *\d{1,2}(?:[.,]\d+)? *['\u2032\u2019m]?"
    r"(?: *\d{1,2}(?:[.,]\d+)? *(?:\"|\u2033|\u201d|''|\u2019\u2019|s)?)?)? *[NSEW]?",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"[\[(]? *([+-]?\d{1,3}(?:[.,]\d+)?)[°º]? *(?:[,;|/] *| +)([+-]?\d{1,3}(?:[.,]\d+)?)[°º]? *[\])]?"
)
_ANGLE = r"\d{1,3}(?:[.,]\d+)?(?:[ :°º'\u2032\u2019]+\d{1,2}(?:[.,]\d+)?){0,2}[ °º'\"\u2032\u2019\u2033\u201d]*"
# A letter shows that an angle is on an axis, as degree signs do not: "50.07N, 14.43E", "N 50.07 E 14.43".
_HEMISPHERES = re.compile(
    rf"[\[(]? *(?:{_ANGLE}[NS] *[,;/|]? *{_ANGLE}[EW]|{_ANGLE}[EW] *[,;/|]? *{_ANGLE}[NS]"
    rf"|[NS] *{_ANGLE}[,;/|]? *[EW] *{_ANGLE}|[EW] *{_ANGLE}[,;/|]? *[NS] *{_ANGLE}) *[\])]?",
    re.IGNORECASE,
)
# A point of PostGIS in hexadecimal digits.
_BINARY_POINT = re.compile(r"(01010000(00|20)|000000000[01]|0020000001)[0-9a-f]{32,48}", re.IGNORECASE)
_PAIRS_OF_NAMES = tuple(
    frozenset(pair)
    for pair in (("latitude", "longitude"), ("lat", "lon"), ("lat", "lng"), ("lat", "long"), ("y", "x"))
)
_BARE_COMMA = re.compile(r"\d,\d")
_POINT = re.compile(
    r"(SRID=\d+;)?(MULTI)?POINT *Z? *\(.*\)|.*\([+-]?\d{1,3}\.\d+, *[+-]?\d{1,3}\.\d+\)", re.IGNORECASE | re.DOTALL
)
_POINT_JSON = re.compile(r"\{.*coordinates.*\[.*\].*\}", re.DOTALL)
_DEGREES_AND_MINUTES = re.compile(r"[^°]*\d[°º][^°º]*\d[^°º]*[°º][^°º]*")
_WEB = re.compile(
    r"(https?://|www\.)\S+|[\w-]+(\.[\w-]+)*\.(com|org|net|gov|edu|info|[a-z]{2})(/\S*)?", re.IGNORECASE
)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+(\s*[;,/ ]\s*[^\s@]+@[^\s@]+)*")
# Circles, crosses and check marks.
_SIGNS_OF_YES_NO = frozenset("\u25cb\u25ef\u3007\u00d7\u2715\u2713\u2714\u2717\u2718\u2611\u2612")
# How word processors write it.
_MINUS = str.maketrans("\u2212\ufe63\uff0d", "---")
_FEWEST_DIGITS_OF_A_PHONE = 5
_FEWEST_DIGITS_OF_A_POSITION = 5


def shapes(value: object) -> frozenset[Shape]:
    """Return what a cell looks like; several shapes may apply, and none to an empty or nested value."""
    match value:
        case bool():
            return frozenset(("yes or no",))
        case int() | float() | str():
            return _of_text(str(value).strip())
        case date():
            return frozenset(("date",))
    if _has_position(value):
        return frozenset(("coordinates",))
    return frozenset()


def _has_position(value: object) -> bool:
    match value:
        case [int() | float(), int() | float()]:
            return True
        case [_, latitude, longitude, _, bool() | None]:
            # What Socrata writes for a place: its address, both coordinates, and how they were found.
            return all(it is None or _NUMBER.fullmatch(str(it)) for it in (latitude, longitude))
        case Mapping():
            names = {str(name).lower() for name in value}
            return "coordinates" in names or any(pair <= names for pair in _PAIRS_OF_NAMES)
    return False


def _of_text(text: str) -> frozenset[Shape]:
    found: set[Shape] = set()
    if not text.isascii():
        text = text.translate(_MINUS)
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    if digits:
        found.add("digits")
        _add_numbers(text, found)
        if _DATE.fullmatch(text):
            found.add("date")
        if _is_pair(text) or any(form.fullmatch(text) for form in (_POINT, _POINT_JSON, _BINARY_POINT)):
            found.add("coordinates")
        if digits >= _FEWEST_DIGITS_OF_A_PHONE and digits >= letters and not found & {"date", "coordinates"}:
            found.add("phone number")
    if letters > digits and not found & {"date", "coordinates", "latitude"}:
        found.add("text")
    if text in _SIGNS_OF_YES_NO or fold(text) in word_set("yes_no"):
        found.add("yes or no")
    if "@" in text and _EMAIL.fullmatch(text):
        found.add("email address")
    elif "." in text and _WEB.fullmatch(text) and "number" not in found:
        found.add("web address")
    return frozenset(found)


def _add_numbers(text: str, found: set[Shape]) -> None:
    if _NUMBER.fullmatch(text):
        found.add("number")
    if _INTEGER.fullmatch(text):
        found.add("integer")
        if _YEAR.fullmatch(text):
            found.add("year")
    elif _DECIMAL_COMMA.fullmatch(text):
        found.add("decimal comma")
    if degrees := _DEGREES.fullmatch(text):
        size = abs(float(degrees[1].replace(",", ".")))
        if size <= 180:
            found.add("longitude")
        if size <= 90:
            found.add("latitude")


def _is_pair(text: str) -> bool:
    if _DEGREES_AND_MINUTES.fullmatch(text):
        return True
    if _HEMISPHERES.fullmatch(text):
        # "12N 5E" may be a block of a town.
        return sum(map(str.isdigit, text)) >= _FEWEST_DIGITS_OF_A_POSITION
    pair = _PAIR.fullmatch(text)
    if pair is None:
        return False
    # "12, 5" is hardly a place, and "1.234,5" is one number.
    decimals = sum("." in part or "," in part for part in pair.groups())
    if decimals < (2 if _BARE_COMMA.search(text) else 1):
        return False
    first, second = (abs(float(part.replace(",", "."))) for part in pair.groups())
    return max(first, second) <= 180 and min(first, second) <= 90
