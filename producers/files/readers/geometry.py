"""Turns the geometries of GeoJSON into one point each."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Position = tuple[float, float]


def representative_point(geometry: object) -> dict[str, object] | None:
    """Return a GeoJSON point that stands for the geometry; None if there is none or it is broken.

    That of a polygon lies inside it, that of several polygons inside the largest.
    """
    if not isinstance(geometry, Mapping):
        return None
    try:
        position = _position(geometry)
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    if position is None or not all(map(math.isfinite, position)):
        return None
    return {"type": "Point", "coordinates": list(position)}


def _position(geometry: Mapping[str, Any]) -> Position | None:
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        found = (_position(part) for part in geometry["geometries"] if isinstance(part, Mapping))
        return next((position for position in found if position is not None), None)
    if kind is None and "x" in geometry and "y" in geometry:
        return _in_degrees(_pair((geometry["x"], geometry["y"])))
    if kind is None and "rings" in geometry:
        # The largest ring is not a hole.
        return _in_degrees(_inside(sorted(geometry["rings"], key=lambda ring: -abs(_area(_ring(ring))))))
    coordinates = geometry.get("coordinates")
    if not coordinates:
        return None
    find = _FINDERS.get(str(kind))
    return None if find is None else find(coordinates)


def _in_degrees(position: Position) -> Position | None:
    """Return a position of ArcGIS, which writes metres as well, if it may be longitude and latitude."""
    return position if abs(position[0]) <= 180 and abs(position[1]) <= 90 else None


def _pair(position: Sequence[Any]) -> Position:
    # The third number is the altitude.
    return float(position[0]), float(position[1])


def _ring(ring: Sequence[Sequence[Any]]) -> list[Position]:
    return [_pair(position) for position in ring]


def _edges(ring: Sequence[Position]) -> Iterator[tuple[Position, Position]]:
    return ((position, ring[(index + 1) % len(ring)]) for index, position in enumerate(ring))


def _area(ring: Sequence[Position]) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in _edges(ring)) / 2


def _inside(polygon: Sequence[Sequence[Sequence[Any]]]) -> Position:
    """Return the centroid if it lies inside; else the middle of the widest part at half the height."""
    rings = [_ring(ring) for ring in polygon if ring]
    outer = rings[0]
    # Relative to the first corner: a building's area is lost in the products of large coordinates.
    x, y = outer[0]
    near = [(a - x, b - y) for a, b in outer]
    area = _area(near)
    if area:
        weights = [(p[0] * q[1] - q[0] * p[1], p[0] + q[0], p[1] + q[1]) for p, q in _edges(near)]
        centroid = (
            x + sum(weight * across for weight, across, _ in weights) / (6 * area),
            y + sum(weight * up for weight, _, up in weights) / (6 * area),
        )
        if _contains(rings, centroid):
            return centroid
    heights = sorted({position[1] for ring in rings for position in ring})
    widest, found = -1.0, outer[0]
    for low, high in pairwise(heights):
        height = (low + high) / 2
        crossings = _crossings(rings, height)
        for left, right in zip(crossings[::2], crossings[1::2], strict=False):
            if (right - left) * (high - low) > widest:
                widest, found = (right - left) * (high - low), ((left + right) / 2, height)
    return found


def _crossings(rings: Sequence[Sequence[Position]], height: float) -> list[float]:
    """Return where a horizontal line enters and leaves the polygon, from left to right."""
    return sorted(
        x0 + (height - y0) * (x1 - x0) / (y1 - y0)
        for ring in rings
        for (x0, y0), (x1, y1) in _edges(ring)
        if (y0 > height) != (y1 > height)
    )


def _largest(polygons: Sequence[Any]) -> Sequence[Any]:
    found: Sequence[Any] = max(polygons, key=lambda polygon: abs(_area(_ring(polygon[0]))))
    return found


def _middle(line: Sequence[Any]) -> Position:
    return _pair(line[(len(line) - 1) // 2])


def _contains(rings: Sequence[Sequence[Position]], position: Position) -> bool:
    return sum(1 for x in _crossings(rings, position[1]) if x > position[0]) % 2 == 1


_FINDERS: Mapping[str, Callable[[Any], Position]] = {
    "Point": _pair,
    "MultiPoint": _middle,
    "LineString": _middle,
    "MultiLineString": lambda lines: _middle(max(lines, key=len)),
    "Polygon": _inside,
    "MultiPolygon": lambda polygons: _inside(_largest(polygons)),
}
