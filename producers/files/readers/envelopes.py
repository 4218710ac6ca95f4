"""Takes records out of what databases and services wrap around them, and values out of what says their types.

A document of Elasticsearch, CouchDB or GraphQL has the record under a key of its own; MongoDB, Firestore and
DynamoDB write the type of each value beside it.
"""

from collections.abc import Mapping
from typing import Any

_DEEPEST = 20
# The key of the record, and the only keys that may stand beside it.
_ENVELOPES: Mapping[str, frozenset[str]] = {
    # Elasticsearch and OpenSearch.
    "_source": frozenset(
        (
            *("_index", "_type", "_id", "_score", "_source", "_version", "_routing", "_seq_no", "_primary_term"),
            *("found", "sort", "fields", "highlight", "_ignored", "matched_queries", "_node", "_shard"),
        )
    ),
    # Typesense.
    "document": frozenset(
        ("document", "highlight", "highlights", "text_match", "text_match_info", "geo_distance_meters")
    ),
    # CouchDB, with include_docs.
    "doc": frozenset(("id", "key", "value", "doc")),
    # The edges of GraphQL.
    "node": frozenset(("node", "cursor", "__typename")),
    # Exports of DynamoDB.
    "Item": frozenset(("Item",)),
    # Firestore; Airtable has the same keys but no types.
    "fields": frozenset(("name", "fields", "createTime", "updateTime")),
    # The results of a view of CouchDB.
    "value": frozenset(("id", "key", "value")),
}
KEYS_OF_RECORDS = frozenset((*_ENVELOPES, "attributes", "resource"))
"""Under which keys of an object its record may be; also those of JSON:API and FHIR, which become columns."""
_FIRESTORE = frozenset(
    (
        *("nullValue", "booleanValue", "integerValue", "doubleValue", "timestampValue", "stringValue"),
        *("bytesValue", "referenceValue", "geoPointValue", "arrayValue", "mapValue"),
    )
)
_DYNAMO = frozenset(("S", "N", "BOOL", "NULL", "M", "L", "SS", "NS", "B", "BS"))
_MONGO = frozenset(
    (
        *("$oid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$date", "$uuid", "$symbol"),
        *("$undefined", "$minKey", "$maxKey"),
    )
)
_NUMBERS = frozenset(("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "integerValue", "N"))
_NOTHING = frozenset(("nullValue", "NULL", "$undefined", "$minKey", "$maxKey"))
_WITHIN = {"mapValue": "fields", "arrayValue": "values"}
_TYPES = _FIRESTORE | _DYNAMO | _MONGO


def unwrapped(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record that an envelope has, with the envelope's identifier as `_id`, and values without types.

    A record without an envelope and types is returned as it is.
    """
    # First what is fast, because this runs for every record with an object.
    if not _ENVELOPES.keys().isdisjoint(record):
        record = _without_envelope(record)
    for value in record.values():
        if isinstance(value, dict) and (_has_type(value, _TYPES) or "coordinates" in value):
            return _without_types(record)
    return record


def _without_envelope(record: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, beside in _ENVELOPES.items():
        inner = record.get(key)
        if not isinstance(inner, dict) or not inner or not record.keys() <= beside:
            continue
        if key == "fields":
            # The name of a document is its path, and not that of a hospital.
            path = str(record.get("name", ""))
            has_types = all(_has_type(value, _FIRESTORE) for value in inner.values())
            return {"_id": path.rpartition("/")[2], **inner} if has_types else record
        if key == "value" and ("id" not in record or inner.keys() <= {"rev", "deleted"}):
            return record
        identifier = record.get("_id", record.get("id"))
        return inner if identifier is None or "_id" in inner else {"_id": identifier, **inner}
    return record


def _without_types(record: Mapping[str, Any]) -> Mapping[str, Any]:
    objects = [value for value in record.values() if isinstance(value, dict)]
    if any(_has_type(value, _MONGO) or _has_typed_numbers(value) for value in objects):
        types: frozenset[str] | None = _MONGO
    else:
        # What an envelope adds is no object; of the record's own values each has a type.
        found = (it for it in (_FIRESTORE, _DYNAMO) if all(_has_type(value, it) for value in objects))
        types = next(found, None) if len(objects) >= len(record) - 1 else None
    plain: Mapping[str, Any] = record if types is None else _plain(record, types)
    return plain


def _has_typed_numbers(value: Mapping[str, Any]) -> bool:
    """Return whether a point has the numbers of MongoDB's extended JSON."""
    numbers = value.get("coordinates")
    return isinstance(numbers, list) and bool(numbers) and _has_type(numbers[0], _MONGO)


def _has_type(value: object, types: frozenset[str]) -> bool:
    return isinstance(value, dict) and len(value) == 1 and not types.isdisjoint(value)


def _plain(value: Any, types: frozenset[str], depth: int = 0) -> Any:
    """Return a value without its type, and those within it."""
    if depth > _DEEPEST or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_plain(item, types, depth + 1) for item in value]
    if not _has_type(value, types):
        return {key: _plain(item, types, depth + 1) for key, item in value.items()}
    ((kind, inner),) = value.items()
    if kind in _NOTHING:
        return None
    if kind in _NUMBERS:
        return _number(inner)
    # Lists and objects of Firestore have one level more.
    within = inner.get(_WITHIN[kind]) if kind in _WITHIN and isinstance(inner, dict) else inner
    return _plain(within, types, depth + 1)


def _number(value: object) -> object:
    """Return what a text of a number says; a text that is none, such as NaN, stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return value
    return number if number - number == 0 else None
