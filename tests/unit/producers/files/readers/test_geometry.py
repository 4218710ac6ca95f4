import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.readers.geometry import representative_point
from producers.files.readers.well_known_binary import point_of

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
# The letter U: its centroid lies between its arms.
U = [[0, 0], [9, 0], [9, 9], [8, 9], [8, 1], [1, 1], [1, 9], [0, 9], [0, 0]]


def contains(ring: list[Any], x: float, y: float) -> bool:
    inside = False
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def point(kind: str, coordinates: object) -> tuple[float, float]:
    found = representative_point({"type": kind, "coordinates": coordinates})
    assert found is not None
    assert found["type"] == "Point"
    position = found["coordinates"]
    assert isinstance(position, list)
    return float(position[0]), float(position[1])


@pytest.mark.parametrize(
    ("kind", "coordinates", "expected"),
    [
        ("Point", [20.5, 10.5], (20.5, 10.5)),
        ("Point", [20.5, 10.5, 7], (20.5, 10.5)),
        ("MultiPoint", [[1, 2], [3, 4]], (1, 2)),
        ("LineString", [[1, 2], [3, 4], [5, 6]], (3, 4)),
        ("Polygon", [SQUARE], (2, 2)),
        ("MultiPolygon", [[[[9, 9], [10, 9], [9, 10], [9, 9]]], [SQUARE]], (2, 2)),
    ],
)
def test_a_geometry_has_one_point(kind: str, coordinates: object, expected: tuple[float, float]) -> None:
    assert point(kind, coordinates) == expected


@pytest.mark.parametrize("rings", [[U], [SQUARE, HOLE]])
def test_the_point_of_a_polygon_lies_inside_it(rings: list[Any]) -> None:
    x, y = point("Polygon", rings)
    assert contains(rings[0], x, y)
    assert not any(contains(ring, x, y) for ring in rings[1:])


def test_a_building_far_from_the_origin_keeps_its_place() -> None:
    x, y = point("Polygon", [[[139.7 + a * 1e-5, 35.6 + b * 1e-5] for a, b in SQUARE]])
    assert (round(x, 6), round(y, 6)) == (139.70002, 35.60002)


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        "x",
        {},
        {"type": "Point"},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": ["a", 1]},
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": [float("nan"), 1]},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Circle", "coordinates": [1, 2]},
        {"type": "GeometryCollection", "geometries": []},
        {"x": 1_500_000, "y": 6_000_000},
    ],
)
def test_a_broken_geometry_has_none(geometry: object) -> None:
    assert representative_point(geometry) is None


def test_a_collection_has_the_point_of_its_first_geometry() -> None:
    parts = [{"type": "Point", "coordinates": []}, {"type": "Point", "coordinates": [1, 2]}]
    assert representative_point({"type": "GeometryCollection", "geometries": parts}) == {
        "type": "Point",
        "coordinates": [1.0, 2.0],
    }


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=9))
def test_any_ring_has_a_point(ring: list[tuple[float, float]]) -> None:
    x, y = point("Polygon", [ring])
    assert min(a for a, _ in ring) - 1e-6 <= x <= max(a for a, _ in ring) + 1e-6
    assert min(b for _, b in ring) - 1e-6 <= y <= max(b for _, b in ring) + 1e-6


def test_well_known_binary_is_read() -> None:
    expected = {"type": "Point", "coordinates": [20.5, 10.5]}
    assert point_of(struct.pack("<BI2d", 1, 1, 20.5, 10.5)) == expected
    assert point_of(struct.pack(">BI3d", 0, 1001, 20.5, 10.5, 7)) == expected
    assert point_of(struct.pack("<BII2d", 1, 0x20000001, 4326, 20.5, 10.5)) == expected
    ring = struct.pack("<I10d", 5, *(number for position in SQUARE for number in position))
    polygon = struct.pack("<BII", 1, 3, 1) + ring
    assert point_of(polygon) == {"type": "Point", "coordinates": [2.0, 2.0]}
    assert point_of(struct.pack("<BII", 1, 6, 1) + polygon) == {"type": "Point", "coordinates": [2.0, 2.0]}


@given(st.binary(max_size=60))
def test_broken_binary_has_no_point(data: bytes) -> None:
    found = point_of(data)
    assert found is None or found["type"] == "Point"
