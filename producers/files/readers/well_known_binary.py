"""Reads the points and polygons of well-known binary (WKB), in which GeoParquet stores geometries."""

import struct

from producers.files.readers.geometry import representative_point

_MOST_POSITIONS = 1_000_000
_KINDS = {1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon"}


def point_of(data: bytes) -> dict[str, object] | None:
    """Return the GeoJSON point that stands for a geometry; None if it is empty, broken or of another kind."""
    try:
        kind, coordinates, _ = _geometry(data, 0)
    except (struct.error, ValueError, IndexError):
        return None
    return representative_point({"type": kind, "coordinates": coordinates})


def _geometry(data: bytes, at: int) -> tuple[str, object, int]:
    order = "<" if data[at] else ">"
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    at += 5
    if code & 0x20000000:  # the number of the coordinate system follows
        at += 4
    dimensions = 2 + bool(code & 0x80000000) + bool(code & 0x40000000)
    flat = code & 0xFFFFFF
    dimensions += (0, 1, 1, 2)[flat // 1000 % 4]
    kind = _KINDS.get(flat % 1000)
    if kind is None:
        raise ValueError("unknown kind of geometry")
    if kind == "Point":
        return kind, *_position(data, at, order, dimensions)
    (count,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    if count > _MOST_POSITIONS:
        raise ValueError("too many parts")
    parts: list[object] = []
    for _ in range(count):
        if kind == "LineString":
            part, at = _position(data, at, order, dimensions)
        elif kind == "Polygon":
            part, at = _ring(data, at, order, dimensions)
        else:
            _, part, at = _geometry(data, at)
        parts.append(part)
    return kind, parts, at


def _ring(data: bytes, at: int, order: str, dimensions: int) -> tuple[object, int]:
    (count,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    if count > _MOST_POSITIONS:
        raise ValueError("too many positions")
    ring: list[object] = []
    for _ in range(count):
        position, at = _position(data, at, order, dimensions)
        ring.append(position)
    return ring, at


def _position(data: bytes, at: int, order: str, dimensions: int) -> tuple[object, int]:
    return list(struct.unpack_from(f"{order}{dimensions}d", data, at)), at + 8 * dimensions
