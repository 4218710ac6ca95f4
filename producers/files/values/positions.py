"""Finds positions that are swapped or mean nothing, by where most hospitals of the file are."""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from producers.files.values.angles import Axis, Position
from producers.files.values.cells import CellReader, UnreadableCell
from producers.files.values.countries import share_along

# Fewer hospitals show no region.
_LEAST_FOR_REGION = 5
# What lies farthest out on each side says nothing of the region. In a short list one wrong row is a large share.
_OUTERMOST, _OUTERMOST_OF_FEW, _FEW = 0.05, 0.2, 20
_MARGIN, _WIDE = 1.0, 20.0
# No hospital is farther to the south or to the north, and as many latitudes beyond are no errors of single rows.
_SOUTHERNMOST, _NORTHERNMOST = -60.0, 80.0
_LEAST_BEYOND, _FEWEST_BEYOND = 0.1, 2
_NEARLY_ALL = 0.9


class Region:
    """Where most hospitals of the file are. Create it with the coordinates of a sample."""

    def __init__(self, latitudes: Sequence[float], longitudes: Sequence[float]) -> None:
        south, north = _bulk(latitudes)
        west, east = _bulk(longitudes)
        # In a list of one country, what is farther away than the country is wide is not in it.
        far, margin = _MARGIN + max(north - south, east - west), _MARGIN
        if len(latitudes) < _FEW:
            # Few hospitals do not show how wide it is.
            far, margin = max(far, _WIDE), far
        self._near = _Box(south - far, north + far, west - far, east + far)
        self._swapped = _Box(south - margin, north + margin, west - margin, east + margin)

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


def are_swapped(
    latitudes: Sequence[float], longitudes: Sequence[float], outside: int, countries: Collection[str]
) -> bool:
    """Return whether the columns of latitudes and of longitudes have each other's numbers.

    That is shown by latitudes where no hospital is, if all longitudes may be latitudes, or by the countries of the
    file. `outside` latitudes are more than 90.
    """
    beyond = outside + sum(1 for degrees in latitudes if not _SOUTHERNMOST <= degrees <= _NORTHERNMOST)
    are_many = beyond >= max(_FEWEST_BEYOND, _LEAST_BEYOND * (len(latitudes) + outside)) or outside > len(latitudes)
    if are_many and longitudes and all(_SOUTHERNMOST <= degrees <= _NORTHERNMOST for degrees in longitudes):
        return True
    return len(latitudes) >= _LEAST_FOR_REGION and _lie_swapped(latitudes, longitudes, countries)


def _lie_swapped(latitudes: Sequence[float], longitudes: Sequence[float], countries: Collection[str]) -> bool:
    """Return whether nearly all are in one of the countries the other way round, and hardly any as they are."""
    as_they_are = min(
        share_along("latitude", latitudes, countries), share_along("longitude", longitudes, countries)
    )
    swapped = min(share_along("longitude", latitudes, countries), share_along("latitude", longitudes, countries))
    return as_they_are <= 1 - _NEARLY_ALL and swapped >= _NEARLY_ALL


def without_sign(
    latitudes: Sequence[float], longitudes: Sequence[float], countries: Collection[str]
) -> Sequence[Axis]:
    """Return the axes whose numbers are all positive, and in one of the countries only if they were negative."""
    found: list[Axis] = []
    axes: tuple[tuple[Axis, Sequence[float]], ...] = (("latitude", latitudes), ("longitude", longitudes))
    for axis, degrees in axes:
        if len(degrees) < _LEAST_FOR_REGION:
            return []
        as_they_are = share_along(axis, degrees, countries)
        if as_they_are >= _NEARLY_ALL:
            continue
        negated = share_along(axis, [-it for it in degrees], countries)
        if min(degrees) < 0 or as_they_are > 1 - _NEARLY_ALL or negated < _NEARLY_ALL:
            return []
        found.append(axis)
    return found


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
    cut = int(len(ordered) * (_OUTERMOST_OF_FEW if len(ordered) < _FEW else _OUTERMOST))
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
