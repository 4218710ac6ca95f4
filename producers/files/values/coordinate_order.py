"""Decides once for a column with both coordinates which of them comes first."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from producers.files.values.angles import Angle, Position
from producers.files.values.cells import UnreadableCell
from producers.files.values.cleaning import clean
from producers.files.values.coordinates import (
    LONGEST_POSITION,
    CoordinateOrder,
    shown_order,
    split_pair,
)
from producers.files.values.countries import place_in_country
from producers.files.values.numbers import ascii_digits

# 经纬度 is longitude and latitude, 緯度経度 and 위경도 the other way round.
_SAYS_LATITUDE_FIRST = re.compile(r"lat.*l(on|ng)|緯.*経|纬.*经|緯.*經|위.*경|шир.*долг", re.IGNORECASE)
_LATITUDE_FIRST = re.compile(r"geo.?point|gps|wgs.?84", re.IGNORECASE)
# Columns of geometry are written by geographic software, which has x first.
_LONGITUDE_FIRST = re.compile(
    r"l(on|ng).*lat|geom|経.*緯|经.*纬|經.*緯|경.*위|долг.*шир|(?<![a-z])xy(?![a-z])", re.IGNORECASE
)
_SHARE = 0.9


def coordinate_order(
    columns: Sequence[str], sample: Sequence[object], countries: Collection[str]
) -> tuple[CoordinateOrder | None, str]:
    """Return the order of numbers in a column with both coordinates, and what a person should know.

    Ranges show it, else the countries of the file, else the column's name. Without these, text is read as ISO 6709
    has it, latitude first; lists in brackets may be GeoJSON, which has longitude first, and are not read.
    """
    pairs, bracketed = _pairs(sample)
    shown = {order for pair in pairs if (order := _shown(pair))}
    if len(shown) > 1:
        return None, "location: rows contradict each other in the order of latitude and longitude"
    order = next(iter(shown), None) or _order_in(countries, pairs) or _order_by_name(" ".join(columns), bracketed)
    if order or not pairs:
        return order, ""
    if bracketed:
        return None, "location: no row shows whether latitude or longitude comes first, so none is read"
    return "latlon", "location: read as latitude, longitude; no row shows the order"


def order_in_points(sample: Iterable[object], countries: Collection[str]) -> CoordinateOrder | None:
    """Return which coordinate comes first in nearly all of GeoJSON's points, or None if that cannot be seen.

    GeoJSON has longitude first. Some programs write the axes as EPSG:4326 has them, latitude first.
    """
    pairs = pairs_of_points(sample)
    counts = Counter(_shown(pair) for pair in pairs)
    if pairs and counts["latlon"] >= _SHARE * len(pairs):
        return "latlon"
    if counts["lonlat"] > counts["latlon"]:
        return "lonlat"
    return _order_in(countries, pairs)


def pairs_of_points(sample: Iterable[object]) -> list[Position]:
    """Return the coordinates of GeoJSON's points in a sample, in their order."""
    found = []
    for cell in sample:
        if not isinstance(cell, Mapping):
            continue
        match cell.get("coordinates"):
            case [int() | float() as first, int() | float() as second, *_]:
                found.append((float(first), float(second)))
    return found


def _pairs(sample: Sequence[object]) -> tuple[list[Position], bool]:
    """Return the pairs of numbers in a sample whose order is a question, and whether they are in brackets."""
    pairs: list[Position] = []
    bracketed = False
    for cell in sample:
        try:
            if isinstance(cell, str):
                unchanged: Counter[str] = Counter()
                text = ascii_digits(clean(cell[:LONGEST_POSITION], unchanged))
                first, second = split_pair(text)
                if first.axis is None and second.axis is None:
                    pairs.append((first.degrees, second.degrees))
                    bracketed = bracketed or text.startswith(("[", "c("))
            elif isinstance(cell, list | tuple) and len(cell) == 2:
                pairs.append((float(cell[0]), float(cell[1])))
                bracketed = True
        except (UnreadableCell, TypeError, ValueError, OverflowError):
            continue
    return pairs, bracketed


def _shown(pair: Position) -> CoordinateOrder | None:
    return shown_order(Angle(pair[0]), Angle(pair[1]))


def _order_by_name(name: str, bracketed: bool) -> CoordinateOrder | None:
    if _SAYS_LATITUDE_FIRST.search(name) or (_LATITUDE_FIRST.search(name) and not bracketed):
        return "latlon"
    return "lonlat" if _LONGITUDE_FIRST.search(name) else None


def _order_in(countries: Collection[str], pairs: Sequence[Position]) -> CoordinateOrder | None:
    """Return the order in which nearly all pairs are in one of the countries, and are not in the other order."""
    counts: Counter[CoordinateOrder] = Counter()
    for first, second in pairs:
        as_written, turned = (_is_in((first, second), countries), _is_in((second, first), countries))
        if as_written != turned:
            counts["latlon" if as_written else "lonlat"] += 1
    orders: tuple[CoordinateOrder, ...] = ("latlon", "lonlat")
    return next((order for order in orders if pairs and counts[order] >= _SHARE * len(pairs)), None)


def _is_in(position: Position, countries: Collection[str]) -> bool:
    return any(place_in_country(position, country) == "inside" for country in countries)
