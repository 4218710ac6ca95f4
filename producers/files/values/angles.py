"""Reads one coordinate as lists write it: decimal degrees, or degrees, minutes and seconds, with or without a
hemisphere. In a coordinate a single comma is a decimal sign, because thousands of degrees do not exist.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from producers.files.values.cells import UnreadableCell
from producers.files.values.words import table

Axis = Literal["latitude", "longitude"]
Position = tuple[float, float]
"""Latitude, then longitude, in degrees."""

_AXES: dict[str, tuple[Axis, int]] = {
    "north": ("latitude", 1),
    "south": ("latitude", -1),
    "east": ("longitude", 1),
    "west": ("longitude", -1),
}


@cache
def _hemispheres() -> dict[str, tuple[Axis, int]]:
    words = table("words")
    return {name: axis for hemisphere, axis in _AXES.items() for name in words[hemisphere]}


@cache
def _in_hemisphere() -> re.Pattern[str]:
    names = "|".join(map(re.escape, sorted(_hemispheres(), key=len, reverse=True)))
    return re.compile(rf"(?:({names})\s*)?(.*?)(?:\s*({names}))?")


_ANY_LETTER = re.compile(r"[^\W\d_]")
_LABEL = re.compile(r"(?:(lat)(?:itude?)?|(lon|lng)(?:g(?:itude?)?)?)\b\.?\s*[:=]?\s*", re.IGNORECASE)
_DECIMAL = re.compile(r"([+-]?)\s?([0-9]{1,16}(?:[.,][0-9]*)?|[.,][0-9]+)\s?(?:°|deg)?", re.IGNORECASE)
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?e[+-]?[0-9]{1,2}", re.IGNORECASE)
_DEGREES = r"([+-]?)\s?([0-9]{1,3})\s?"
_MINUTES = r"\s?([0-9]{1,2}(?:[.,][0-9]+)?)\s?"
_SECONDS = r"(?:\s?([0-9]{1,2}(?:[.,][0-9]*)?)\s?(?:\"|秒|초)?)?"
_MARKED = re.compile(rf"{_DEGREES}(?:°|deg|度|도){_MINUTES}(?:'|分|분)?{_SECONDS}", re.IGNORECASE)
# Here the s is of seconds. After other signs it is of south.
_LETTERED = re.compile(rf"{_DEGREES}d{_MINUTES}m(?:\s?([0-9]{{1,2}}(?:[.,][0-9]*)?)\s?s)?")
# Without signs between, three numbers are degrees, minutes and seconds; two may be two coordinates.
_SPACED = re.compile(r"([+-]?)\s?([0-9]{1,3})[ :-]([0-9]{1,2})[ :-]([0-9]{1,2}(?:[.,][0-9]*)?)\s?\"?")
# What keyboards and word processors make of the signs for degrees, minutes, seconds, minus, point and comma.
_PRIMES = str.maketrans(
    "\u2032\u2019\u2018`\xb4\u02b9\u2033\u201d\u201c\u3003\xba\u02da\u1d52\u2218\u2212\u2013\uff0e\uff0c",
    "''''''\"\"\"\"\xb0\xb0\xb0\xb0--.,",
)
# What stands behind degrees, minutes and seconds, and what a spreadsheet makes of whole numbers.
_PART_SIGNS = ("°", "'", '"')
_WHOLE = re.compile(r"(?<=[0-9])[.,]0+$|[°'\"]+$")
_HEMISPHERE = re.compile(r"[^\W\d_]+")
_LONGEST = 100
LIMITS: dict[Axis, float] = {"latitude": 90.0, "longitude": 180.0}
NOT_DEGREES = "is not in degrees; perhaps metres of a projection, or degrees without their decimal point"


@dataclass(frozen=True, slots=True)
class Angle:
    """Degrees, and the axis that a hemisphere letter names, if there is one. Nothing is checked against an axis."""

    degrees: float
    axis: Axis | None = None


def parse_angle(text: str) -> Angle:
    """Return the angle that a cleaned text means. Raises `UnreadableCell`."""
    if len(text) > _LONGEST:
        raise UnreadableCell("is not a coordinate")
    text = text.translate(_PRIMES).replace("''", '"')
    labelled: Axis | None = None
    if label := _LABEL.match(text):
        labelled = "latitude" if label[1] else "longitude"
        text = text[label.end() :]
    if _LETTERED.fullmatch(text):
        return Angle(_degrees(text), labelled)
    # A pattern that ignores case would take more letters for these, such as the long s for an s.
    match = _in_hemisphere().fullmatch(text.lower())
    if match is None or (match[1] and match[3]):
        raise UnreadableCell("is not a coordinate")
    name = match[1] or match[3]
    axis, sign = _hemispheres()[name] if name else (labelled, 1)
    degrees = _degrees(match[2].strip())
    if name and degrees < 0:
        raise UnreadableCell("has both a sign and a hemisphere")
    return Angle(sign * degrees, axis)


def _degrees(text: str) -> float:
    if decimal := _DECIMAL.fullmatch(text):
        number = float(decimal[2].replace(",", "."))
        return -number if decimal[1] == "-" else number
    if _EXPONENT.fullmatch(text):
        return float(text)
    parts = _MARKED.fullmatch(text) or _LETTERED.fullmatch(text) or _SPACED.fullmatch(text)
    if parts is None:
        if re.fullmatch(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3}){2,}", text):
            raise UnreadableCell("has separators that a spreadsheet has put into it, and its decimal point is lost")
        raise UnreadableCell(
            "has a letter that is not a hemisphere" if _ANY_LETTER.search(text) else "is not a coordinate"
        )
    minutes, seconds = (float((part or "0").replace(",", ".")) for part in (parts[3], parts[4]))
    # Rounding makes 60 seconds of 59.999.
    if minutes > 60 or seconds > 60 or (parts[4] and minutes != int(minutes)):
        raise UnreadableCell("has minutes or seconds that cannot be")
    degrees = int(parts[2]) + minutes / 60 + seconds / 3600
    return -degrees if parts[1] == "-" else degrees


def joined_parts(cells: Sequence[object]) -> str:
    """Return the text of degrees, minutes and seconds in cells of their own, perhaps with a hemisphere.

    It is empty if all of them are. Raises `UnreadableCell` if degrees or minutes are missing.
    """
    texts = [_WHOLE.sub("", str(cell).strip()) if cell is not None else "" for cell in cells]
    numbers = [text for text in texts if not _HEMISPHERE.fullmatch(text)]
    if not any(numbers):
        return ""
    if len(numbers) > len(_PART_SIGNS) or not all(numbers[:2]):
        raise UnreadableCell("is not in degrees, minutes and seconds")
    marked = "".join(f"{text}{sign}" for text, sign in zip(numbers, _PART_SIGNS, strict=False) if text)
    return " ".join((marked, *(text for text in texts if _HEMISPHERE.fullmatch(text))))


def checked(angle: Angle, axis: Axis) -> float:
    """Return the degrees on an axis. Raises `UnreadableCell` if they cannot be."""
    if angle.axis not in (None, axis):
        raise UnreadableCell(f"has the hemisphere of a {angle.axis}; perhaps the columns are swapped")
    if abs(angle.degrees) > LIMITS[axis]:
        if abs(angle.degrees) <= 180:
            raise UnreadableCell("is out of range; perhaps latitude and longitude are swapped")
        if axis == "longitude" and 180 < angle.degrees <= 360:
            raise UnreadableCell("is out of range; perhaps counted from 0 to 360")
        raise UnreadableCell(NOT_DEGREES)
    return angle.degrees
