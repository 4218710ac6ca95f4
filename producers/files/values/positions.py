"""Finds positions that are swapped or mean nothing, by where most hospitals of the file are."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from producers.files.values.angles import Position
from producers.files.values.cells import CellReader, UnreadableCell

# Fewer hospitals show no region.
_LEAST_FOR_REGION = 5
# What lies farthest out on each side says nothing of the region. In a short list one wrong row is a large share.
_OUTERMOST, _OUTERMOST_OF_FEW, _FEW = 0.05, 0.2, 20
_MARGIN, _WIDE = 1.0, 20.0


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
