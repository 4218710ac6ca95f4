"""Turns the objects of JSON into rows: nested objects become columns, geometries one point."""

from collections.abc import Mapping

from producers.files.readers.geometry import representative_point

LOCATION = "location"
_KEPT = ("location", "attributes")
_DEEPEST = 5


def flattened(record: Mapping[str, object]) -> dict[str, object]:
    """Return the record with each nested object as columns `outer.inner`.

    Geometries, and what the contract itself takes as an object, stay objects.
    """
    if not any(isinstance(value, dict) for value in record.values()):
        return dict(record)
    found: dict[str, object] = {}
    for name, value in record.items():
        _add(found, name, value, 1)
    return found


def feature_row(feature: Mapping[str, object], *, locate: bool) -> dict[str, object]:
    """Return the row of a GeoJSON feature: its properties, its point as `location` if `locate`, its id.

    ArcGIS calls the properties attributes, and writes a point as x and y.
    """
    properties = feature.get("properties", feature.get("attributes"))
    found = flattened(properties) if isinstance(properties, Mapping) else {}
    identifier = feature.get("id")
    if identifier is not None and "id" not in found:
        found["id"] = identifier
    if not locate:
        return found
    point = representative_point(feature.get("geometry"))
    if point is not None:
        # A property of this name keeps it; few lists have one.
        found[LOCATION if LOCATION not in found else "geometry"] = point
    return found


def is_feature(record: Mapping[str, object]) -> bool:
    """Return whether an object is a feature of GeoJSON or of ArcGIS."""
    return (record.get("type") == "Feature" and "properties" in record) or record.keys() == {
        "attributes",
        "geometry",
    }


def _add(found: dict[str, object], name: str, value: object, depth: int) -> None:
    if not isinstance(value, dict) or name in _KEPT or not value or depth > _DEEPEST or _is_geometry(value):
        found[name] = value
        return
    for inner, inner_value in value.items():
        _add(found, f"{name}.{inner}", inner_value, depth + 1)


def _is_geometry(value: Mapping[str, object]) -> bool:
    return "type" in value and ("coordinates" in value or "geometries" in value)
