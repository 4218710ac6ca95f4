"""The collections' validators and indexes, created at start.

The validators hold for whoever writes, not only for this service. They leave lengths and ranges of text to the
contract, and accept all that it accepts.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import CollectionInvalid, OperationFailure

from worker.mongo.client import MongoHandle
from worker.mongo.failures import translated

_NAMESPACE_EXISTS = 48

_TEXT = {"bsonType": "string"}
_INTEGER = {"bsonType": ["int", "long"]}
_REVISION = {**_INTEGER, "minimum": 1}
_INSTANT = {"bsonType": "date"}
_NUMBER = {"bsonType": ["double", "int", "long"]}
_STATUS = {"enum": ["partial", "registered"]}

_HOSPITAL_STATE: dict[str, Any] = {
    "_id": {"bsonType": "string", "minLength": 1},
    "hospital_name": {"bsonType": "string", "minLength": 1},
    "hospital_type": {"enum": ["single", "multi"]},
    "status": _STATUS,
    "source": _TEXT,
    "external_id": _TEXT,
    "address": _TEXT,
    "city": _TEXT,
    "state": _TEXT,
    "postal_code": _TEXT,
    "county": _TEXT,
    "country": _TEXT,
    "phone": _TEXT,
    "ownership": _TEXT,
    "emergency_services": {"bsonType": "bool"},
    "beds": {**_INTEGER, "minimum": 0},
    "location": {
        "bsonType": "object",
        "required": ["type", "coordinates"],
        "additionalProperties": False,
        "properties": {
            "type": {"enum": ["Point"]},
            "coordinates": {"bsonType": "array", "minItems": 2, "maxItems": 2, "items": _NUMBER},
        },
    },
    "attributes": {
        "bsonType": "object",
        "additionalProperties": {"bsonType": ["string", "int", "long", "double", "bool"]},
    },
    "revision": _REVISION,
    "observed_at": _INSTANT,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "created_by_job": _TEXT,
}
_REQUIRED_OF_HOSPITAL = [
    "_id",
    "hospital_name",
    "hospital_type",
    "status",
    "revision",
    "created_at",
    "updated_at",
    "created_by_job",
]
_APPLIED_JOBS = {
    "bsonType": "array",
    "items": {
        "bsonType": "object",
        "required": ["job", "record", "revision"],
        "additionalProperties": False,
        "properties": {"job": _TEXT, "record": _INTEGER, "revision": _REVISION},
    },
}
_HOSPITAL_IN_LOG = {
    "bsonType": ["object", "null"],
    "required": _REQUIRED_OF_HOSPITAL,
    "additionalProperties": False,
    "properties": _HOSPITAL_STATE,
}
_LOG_ENTRY: dict[str, Any] = {
    "_id": _TEXT,
    "hospital_id": {"bsonType": "string", "minLength": 1},
    "seq": {**_INTEGER, "minimum": 1},
    "event": {
        "enum": [
            "registered",
            "amended",
            "withdrawn",
            "registration_rejected",
            "amendment_rejected",
            "withdrawal_rejected",
        ]
    },
    "actor": {"bsonType": "string", "minLength": 1},
    "reason": {"bsonType": "string", "minLength": 1},
    "before": _HOSPITAL_IN_LOG,
    "after": _HOSPITAL_IN_LOG,
    "at": _INSTANT,
    "job_id": _TEXT,
    "prev_hash": {"bsonType": ["string", "null"]},
    "hash": {"bsonType": "string", "minLength": 64, "maxLength": 64},
}

HOSPITALS_VALIDATOR: dict[str, Any] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": _REQUIRED_OF_HOSPITAL,
        "additionalProperties": False,
        "properties": {**_HOSPITAL_STATE, "applied_jobs": _APPLIED_JOBS},
    }
}
LOGS_VALIDATOR: dict[str, Any] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": list(_LOG_ENTRY),
        "additionalProperties": False,
        "properties": _LOG_ENTRY,
    }
}
_COLLECTIONS: tuple[tuple[str, dict[str, Any], IndexModel], ...] = (
    ("hospitals", HOSPITALS_VALIDATOR, IndexModel([("hospital_name", ASCENDING)])),
    ("logs", LOGS_VALIDATOR, IndexModel([("hospital_id", ASCENDING), ("seq", ASCENDING)], unique=True)),
)


async def ensure_schema(mongo: MongoHandle) -> None:
    """Create what is missing and bring validators up to date; many workers may do so at once.

    Raises `OutageError` or another error of the service if MongoDB does not carry it out.
    """
    with translated():
        for name, validator, index in _COLLECTIONS:
            await _ensure_collection(mongo, name, validator)
            await mongo.database[name].create_indexes([index])


async def _ensure_collection(mongo: MongoHandle, name: str, validator: dict[str, Any]) -> None:
    try:
        # Without the driver's own look whether it exists: that is a race, and the server tells anyway.
        await mongo.database.create_collection(name, check_exists=False, validator=validator)
        return
    except CollectionInvalid:
        pass
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise
    found = await mongo.database.command("listCollections", filter={"name": name})
    options = found["cursor"]["firstBatch"][0].get("options", {})
    if options.get("validator") != validator:
        await mongo.database.command("collMod", name, validator=validator)
