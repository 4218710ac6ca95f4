"""Turns the objects of JSON into rows: nested objects become columns, geometries one point."""

from collections.abc import Mapping
from typing import TypeGuard

from producers.files.columns.names import fields_by_name
from producers.files.readers.descriptions import described
from producers.files.readers.envelopes import unwrapped
from producers.files.readers.geometry import representative_point

LOCATION = "location"
_ATTRIBUTES = "attributes"
_DEEPEST = 5
_NESTED = frozenset((dict, list))
# One value in the results of a SPARQL query.
_BINDING = frozenset(("type", "value", "datatype", "xml:lang"))
_KINDS_OF_BINDINGS = frozenset(("uri", "literal", "typed-literal", "bnode"))


def flattened(record: Mapping[str, object]) -> dict[str, object]:
    """Return the record with each nested object as columns `outer.inner`.

    Geometries, and what the contract itself takes as an object, stay objects. The value of a SPARQL result is taken
    out of its object, and a record out of what a database wraps around it. An outline of OpenStreetMap has the
    position of its center. A list of one value is that value, as search engines write it.
    """
    # Readers make no other kinds of these, and this runs for every record.
    if _NESTED.isdisjoint(map(type, record.values())):
        return dict(record)
    record = unwrapped(record)
    kept = _kept(record)
    found: dict[str, object] = {}
    for name, value in record.items():
        _add(found, name, value, 1, kept)
    center = record.get("center")
    if isinstance(center, dict) and center.keys() == {"lat", "lon"} and not {"lat", "lon"} & record.keys():
        found |= center
    return found


def feature_row(feature: Mapping[str, object], *, locate: bool) -> dict[str, object]:
    """Return the row of a GeoJSON feature: its properties, its point as `location` if `locate`, its id.

    ArcGIS calls the properties attributes, and writes a point as x and y. What converters of KML have written into
    a table in the description are properties, too.
    """
    properties = feature.get("properties", feature.get("attributes"))
    found = described(properties) | flattened(properties) if isinstance(properties, Mapping) else {}
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


def _kept(record: Mapping[str, object]) -> frozenset[str]:
    # In JSON:API and in exports of OpenStreetMap the attributes are all that is known of a hospital, its name too.
    is_named = _ATTRIBUTES in record and any("hospital_name" in fields_by_name(name) for name in record)
    return frozenset((LOCATION, _ATTRIBUTES)) if is_named else frozenset((LOCATION,))


def _add(found: dict[str, object], name: str, value: object, depth: int, kept: frozenset[str]) -> None:
    if not isinstance(value, dict) or name in kept or not value or depth > _DEEPEST or _is_geometry(value):
        found[name] = value[0] if _is_of_one(value) else value
    elif value.keys() <= _BINDING and "value" in value and value.get("type") in _KINDS_OF_BINDINGS:
        found[name] = value["value"]
    else:
        for inner, inner_value in value.items():
            _add(found, f"{name}.{inner}", inner_value, depth + 1, kept)


def _is_of_one(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and len(value) == 1 and type(value[0]) not in _NESTED


def _is_geometry(value: Mapping[str, object]) -> bool:
    return "type" in value and ("coordinates" in value or "geometries" in value)
