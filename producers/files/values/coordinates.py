"""Reads latitudes and longitudes: each in a column of its own, or both in one cell."""

import math
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import orjson

from producers.files.systems import is_wgs_84
from producers.files.values.angles import LIMITS, Angle, Axis, checked, joined_parts, parse_angle
from producers.files.values.cells import MISSING, Missing, UnreadableCell, one_cell
from producers.files.values.cleaning import clean
from producers.files.values.letters import EITHER_O, LANGUAGES, NO_LETTERS, Letters, with_known_letters
from producers.files.values.missing import is_missing
from producers.files.values.numbers import ascii_digits

CoordinateOrder = Literal["latlon", "lonlat"]

_PLAIN = re.compile(r"-?[0-9]{1,3}\.[0-9]+")
# [address, latitude, longitude, machine address, whether it is to be found anew]
_PARTS_OF_SOCRATA = 5
_NO_COORDINATES = frozenset((-999.0, -9999.0, -99999.0, -999999.0, 999.0, 9999.0, 99999.0, 999999.0))
_N = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
# Several points are a shape, but programs write one as several, too.
_WKT = re.compile(
    rf"(?:SRID=([0-9]+);)?\s*(?:MULTI)?POINT\s*(?:ZM|Z|M)?\s*\(\s*\(?\s*{_N}\s+{_N}(?:\s+{_N})*\s*\)?\s*\)",
    re.IGNORECASE,
)
_SHAPE = re.compile(
    r"(?:SRID=[0-9]+;)?\s*(?:(?:MULTI)?(?:POINT|LINESTRING|POLYGON)|GEOMETRYCOLLECTION)\s*(?:ZM|Z|M)?\s*\(",
    re.IGNORECASE,
)
_WKB = re.compile(r"0[01](?:01000000|00000001|01000020|20000001)[0-9A-Fa-f]{32,40}")
# Exports of Socrata write an address and its position into one cell, latitude first.
_AFTER_ADDRESS = re.compile(rf".*\s\(\s*{_N}\s*°?\s*,\s*{_N}\s*°?\s*\)")
# R writes a point as c(1.5, 2.5).
_BRACKETS = re.compile(r"c?[(\[](.*)[)\]]")
_COMMAS = re.compile(r"([+-]?[0-9]+,[0-9]+)(?:\s*[,;]\s*|\s+)([+-]?[0-9]+,[0-9]+)")
_WITH_LETTERS = re.compile(r"(.*[NSns])\s*[,;/]?\s*([0-9].*[EWew])|(.*[EWew])\s*[,;/]?\s*([0-9].*[NSns])")
_LETTERS_IN_FRONT = re.compile(
    r"([NSns].*?[0-9].*?)\s*[,;/]?\s*([EWew].*)|([EWew].*?[0-9].*?)\s*[,;/]?\s*([NSns].*)"
)
_BETWEEN = re.compile(r"\s*[,;/|]\s*|\s+")
LONGEST_POSITION = 400
"""Longer text is not a position. Patterns take time that grows with the square of a text's length."""

_NOT_A_POSITION = "is not a position"
_PAIRS_OF_NAMES = (("latitude", "longitude"), ("lat", "lon"), ("lat", "lng"), ("lat", "long"), ("y", "x"))


class CoordinateReader:
    """Reads the latitudes or the longitudes of a column. `letters` are those whose meaning is known."""

    def __init__(self, axis: Axis, letters: Letters = NO_LETTERS) -> None:
        self.changes: Counter[str] = Counter()
        self._axis = axis
        self._letters = letters
        self._limit = LIMITS[axis]

    def read(self, cells: Sequence[object]) -> object:
        """Return degrees, or `MISSING`. Raises `UnreadableCell`.

        Several cells are degrees, minutes and seconds, perhaps with a hemisphere.
        """
        cell = cells[0] if len(cells) == 1 else joined_parts(cells)
        if isinstance(cell, str):
            if _PLAIN.fullmatch(cell):
                degrees = float(cell)
                if -self._limit <= degrees <= self._limit:
                    return degrees
            text = ascii_digits(clean(cell, self.changes))
            if is_missing(text):
                return MISSING
            return _known(parse_angle(with_known_letters(text, self._letters)), self._axis)
        return _known(_native(cell), self._axis)


class PositionReader:
    """Reads cells with both coordinates. `order` is that of numbers whose order the cell itself does not show.

    `letters` are those of hemispheres whose meaning is known. `points` is the order within GeoJSON's points.
    """

    def __init__(
        self,
        order: CoordinateOrder | None,
        letters: Letters = NO_LETTERS,
        *,
        points: CoordinateOrder = "lonlat",
    ) -> None:
        self.changes: Counter[str] = Counter()
        self._order = order
        self._letters = letters
        self._points: CoordinateOrder = points

    def read(self, cells: Sequence[object]) -> object:
        """Return latitude and longitude in degrees, or `MISSING`. Raises `UnreadableCell`."""
        cell = one_cell(cells, joined_by=", ")
        if cell is None:
            return MISSING
        if not isinstance(cell, str):
            return self._from_object(cell)
        text = ascii_digits(clean(cell, self.changes))
        if is_missing(text):
            return MISSING
        if len(text) > LONGEST_POSITION:
            raise UnreadableCell(_NOT_A_POSITION)
        if text.startswith("{"):
            try:
                return self._from_object(orjson.loads(text))
            except orjson.JSONDecodeError:
                raise UnreadableCell(_NOT_A_POSITION) from None
        return self._from_text(text)

    def _from_text(self, text: str) -> object:
        if wkt := _WKT.fullmatch(text):
            if wkt[1] is not None and not is_wgs_84(wkt[1]):
                raise UnreadableCell("is in another coordinate system than WGS 84 (EPSG:4326)")
            return _position(Angle(float(wkt[3])), Angle(float(wkt[2])))
        if text.upper().endswith("EMPTY"):
            return MISSING
        if _SHAPE.match(text):
            raise UnreadableCell("is a shape, not a point")
        if _WKB.fullmatch(text):
            return _from_wkb(text)
        if pair := _AFTER_ADDRESS.fullmatch(text):
            return _position(Angle(float(pair[1])), Angle(float(pair[2])))
        return self._ordered(*split_pair(with_known_letters(text, self._letters)))

    def _from_object(self, cell: object) -> object:
        if isinstance(cell, Mapping):
            return self._from_mapping(cell)
        if isinstance(cell, list | tuple) and len(cell) == 2:
            return self._ordered(*map(_native, cell))
        if isinstance(cell, list | tuple) and len(cell) == _PARTS_OF_SOCRATA:
            return _position(_native(cell[1]), _native(cell[2]))
        raise UnreadableCell(_NOT_A_POSITION)

    def _from_mapping(self, cell: Mapping[object, object]) -> object:
        folded = {str(name).lower(): value for name, value in cell.items()}
        if "coordinates" in folded:
            coordinates, kind = folded["coordinates"], folded.get("type")
            if kind == "MultiPoint" and isinstance(coordinates, list | tuple) and len(coordinates) == 1:
                coordinates, kind = coordinates[0], "Point"
            if kind not in ("Point", None):
                raise UnreadableCell("is a shape, not a point")
            if coordinates in (None, [], ()):
                return MISSING
            if isinstance(coordinates, list | tuple) and len(coordinates) in (2, 3):
                first, second = _native(coordinates[0]), _native(coordinates[1])
                return _position(first, second) if self._points == "latlon" else _position(second, first)
            raise UnreadableCell(_NOT_A_POSITION)
        for latitude, longitude in _PAIRS_OF_NAMES:
            if latitude in folded and longitude in folded:
                return _position(_native(folded[latitude]), _native(folded[longitude]))
        if not folded:
            return MISSING
        raise UnreadableCell(_NOT_A_POSITION)

    def _ordered(self, first: Angle | Missing, second: Angle | Missing) -> object:
        if isinstance(first, Missing) or isinstance(second, Missing):
            return _position(first, second)
        order = shown_order(first, second) or self._order
        if order is None:
            raise UnreadableCell("may be latitude, longitude or longitude, latitude")
        if self._order not in (None, order) and first.axis is None and second.axis is None:
            raise UnreadableCell("is out of range; perhaps latitude and longitude are swapped")
        return _position(first, second) if order == "latlon" else _position(second, first)


def split_pair(text: str) -> tuple[Angle, Angle]:
    """Return the two angles of a cleaned text, as they stand. Raises `UnreadableCell`."""
    if brackets := _BRACKETS.fullmatch(text):
        text = brackets[1].strip()
    if commas := _COMMAS.fullmatch(text):
        return parse_angle(commas[1]), parse_angle(commas[2])
    for form in (_WITH_LETTERS, _LETTERS_IN_FRONT):
        if letters := form.fullmatch(text):
            try:
                return parse_angle(letters[1] or letters[3]), parse_angle(letters[2] or letters[4])
            except UnreadableCell:
                pass
    for between in _BETWEEN.finditer(text):
        left, right = text[: between.start()], text[between.end() :]
        whole = left.lstrip("+-").isdigit() and right.isdigit()
        if between[0] == "," and whole and (left + right).strip("0"):
            raise UnreadableCell("may be one number with a decimal comma")
        try:
            pair = parse_angle(left), parse_angle(right)
        except UnreadableCell:
            continue
        return pair
    raise UnreadableCell(_NOT_A_POSITION)


def is_readable_pair(value: object) -> bool:
    """Return whether a cell is text with two angles, and hemispheres or fractions show that it is a position."""
    if not isinstance(value, str) or len(value) > LONGEST_POSITION:
        return False
    text = ascii_digits(clean(value, Counter()))
    # What letters mean is decided later; here any meaning does.
    return any(_is_pair(with_known_letters(text, letters)) for letters in (EITHER_O, *LANGUAGES))


def _is_pair(text: str) -> bool:
    try:
        first, second = split_pair(text)
    except UnreadableCell:
        return False
    if first.axis and second.axis:
        return first.axis != second.axis
    return not (first.degrees.is_integer() or second.degrees.is_integer()) and _may_be_a_position(first, second)


def is_readable_angle(value: object, axis: Axis) -> bool:
    """Return whether a cell is text with a latitude or a longitude."""
    if not isinstance(value, str) or len(value) > LONGEST_POSITION:
        return False
    text = ascii_digits(clean(value, Counter()))
    return any(_is_on(axis, with_known_letters(text, letters)) for letters in (EITHER_O, *LANGUAGES))


def _is_on(axis: Axis, text: str) -> bool:
    try:
        checked(parse_angle(text), axis)
    except UnreadableCell:
        return False
    return True


def _may_be_a_position(first: Angle, second: Angle) -> bool:
    smaller, larger = sorted((abs(first.degrees), abs(second.degrees)))
    return smaller <= LIMITS["latitude"] and larger <= LIMITS["longitude"]


def shown_order(first: Angle, second: Angle) -> CoordinateOrder | None:
    """Return the order that hemispheres or ranges show; None if they show none."""
    if first.axis or second.axis:
        return "latlon" if first.axis == "latitude" or second.axis == "longitude" else "lonlat"
    if max(abs(first.degrees), abs(second.degrees)) > 180:
        return None
    if abs(first.degrees) > 90:
        return "lonlat"
    return "latlon" if abs(second.degrees) > 90 else None


def _native(cell: object) -> Angle | Missing:
    match cell:
        case None | Missing():
            return MISSING
        case bool():
            raise UnreadableCell("is yes or no, not a number")
        case int() | float() | Decimal():
            return MISSING if math.isnan(cell) else Angle(float(cell))
        case str():
            text = ascii_digits(cell.strip())
            return MISSING if is_missing(text) else parse_angle(text)
    raise UnreadableCell("is not a number")


def _known(angle: Angle | Missing, axis: Axis) -> float | Missing:
    if isinstance(angle, Missing) or angle.degrees in _NO_COORDINATES:
        return MISSING
    return checked(angle, axis)


def _position(latitude: Angle | Missing, longitude: Angle | Missing) -> object:
    north, east = _known(latitude, "latitude"), _known(longitude, "longitude")
    if isinstance(north, Missing) and isinstance(east, Missing):
        return MISSING
    if isinstance(north, Missing) or isinstance(east, Missing):
        raise UnreadableCell("has only one coordinate")
    return north, east


def _from_wkb(text: str) -> object:
    data = bytes.fromhex(text)
    sign = "<" if data[0] else ">"
    (kind,) = struct.unpack_from(f"{sign}I", data, 1)
    start = 5
    if kind & 0x20000000:
        (system,) = struct.unpack_from(f"{sign}I", data, 5)
        if not is_wgs_84(str(system)):
            raise UnreadableCell("is in another coordinate system than WGS 84 (EPSG:4326)")
        start = 9
    if len(data) != start + 16:
        raise UnreadableCell(_NOT_A_POSITION)
    longitude, latitude = struct.unpack_from(f"{sign}dd", data, start)
    if math.isnan(longitude):
        return MISSING
    return _position(Angle(latitude), Angle(longitude))
