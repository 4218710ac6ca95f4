"""Decides once for a file in which order coordinates stand, and finds those that are swapped or mean nothing."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from producers.files.values.cells import CellReader, UnreadableCell
from producers.files.values.cleaning import clean
from producers.files.values.coordinates import LONGEST_POSITION, CoordinateOrder, Position, shown_order, split_pair
from producers.files.values.numbers import ascii_digits

# 经纬度 is longitude and latitude, 緯度経度 and 위경도 the other way round.
_LATITUDE_FIRST = re.compile(
    r"lat.*l(on|ng)|geo.?point|gps|緯.*経|纬.*经|緯.*經|위.*경|шир.*долг|wgs.?84", re.IGNORECASE
)
_LONGITUDE_FIRST = re.compile(
    r"l(on|ng).*lat|経.*緯|经.*纬|經.*緯|경.*위|долг.*шир|(?<![a-z])xy(?![a-z])", re.IGNORECASE
)
# Fewer hospitals show no region.
_LEAST_FOR_REGION = 20
_OUTERMOST = 0.05
_MARGIN = 1.0


def coordinate_order(columns: Sequence[str], sample: Sequence[object]) -> tuple[CoordinateOrder | None, str]:
    """Return the order of numbers in a column with both coordinates, and what a person should know.

    Ranges show it, else the column's name. Without either, text is read as ISO 6709 has it, latitude first; lists
    in brackets may be GeoJSON, which has longitude first, and are not read.
    """
    shown: Counter[CoordinateOrder] = Counter()
    pairs = bracketed = 0
    for cell in sample:
        if not isinstance(cell, str):
            bracketed += isinstance(cell, list | tuple)
            continue
        unchanged: Counter[str] = Counter()
        text = ascii_digits(clean(cell[:LONGEST_POSITION], unchanged))
        try:
            first, second = split_pair(text)
        except UnreadableCell:
            continue
        pairs += 1
        bracketed += text.startswith("[")
        if first.axis is None and second.axis is None and (order := shown_order(first, second)):
            shown[order] += 1
    if len(shown) == 1:
        return next(iter(shown)), ""
    if len(shown) == 2:
        return None, "location: rows contradict each other in the order of latitude and longitude"
    name = " ".join(columns)
    if _LATITUDE_FIRST.search(name) and not bracketed:
        return "latlon", ""
    if _LONGITUDE_FIRST.search(name):
        return "lonlat", ""
    if bracketed:
        return None, "location: no row shows whether latitude or longitude comes first, so none is read"
    return "latlon", "location: read as latitude, longitude; no row shows the order" if pairs else ""


class Region:
    """Where most hospitals of the file are. Create it with the coordinates of a sample."""

    def __init__(self, latitudes: Sequence[float], longitudes: Sequence[float]) -> None:
        south, north = _bulk(latitudes)
        west, east = _bulk(longitudes)
        self._swapped = _Box(south - _MARGIN, north + _MARGIN, west - _MARGIN, east + _MARGIN)
        # In a list of one country, what is farther away than the country is wide is not in it.
        far = _MARGIN + max(north - south, east - west)
        self._near = _Box(south - far, north + far, west - far, east + far)

    def check(self, position: Position) -> None:
        """Raise `UnreadableCell` for a position that means "not known", or that is swapped.

        A position is taken for swapped if it is far from most others, and among them the other way round.
        """
        latitude, longitude = position
        if latitude == 0.0 == longitude:
            raise UnreadableCell("0, 0 means that the position is not known")
        south, north, west, east = self._near
        if south <= latitude <= north and west <= longitude <= east:
            return
        south, north, west, east = self._swapped
        if south <= longitude <= north and west <= latitude <= east:
            raise UnreadableCell("is far from all others; perhaps latitude and longitude are swapped")


class _Box(NamedTuple):
    south: float
    north: float
    west: float
    east: float


def _bulk(degrees: Sequence[float]) -> tuple[float, float]:
    """Return between which degrees most of a sample is; not a number if the sample is too small to say."""
    if len(degrees) < _LEAST_FOR_REGION:
        return math.nan, math.nan
    ordered = sorted(degrees)
    cut = int(len(ordered) * _OUTERMOST)
    return ordered[cut], ordered[-1 - cut]


def readable(reader: CellReader, sample: Sequence[object]) -> tuple[list[float], list[Position], int]:
    """Return the coordinates and the positions of a sample, and how many cells are out of range."""
    degrees: list[float] = []
    positions: list[Position] = []
    outside = 0
    for cell in sample:
        try:
            value = reader.read((cell,))
        except UnreadableCell as error:
            outside += "swapped" in str(error)
            continue
        if isinstance(value, float):
            degrees.append(value)
        elif isinstance(value, tuple):
            positions.append(value)
    return degrees, positions, outside
