"""The validators and indexes of the collections, created at start.

The validators apply to every client that writes, not only to this service. They leave lengths and ranges of text to
the contract, and accept everything that the contract accepts.
"""

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import CollectionInvalid, OperationFailure

from worker.contract.comparison import DISTINGUISHING_FIELDS
from worker.errors import ConfigurationError
from worker.mongo.claims import IMPORT_CLAIMS
from worker.mongo.client import MongoHandle
from worker.mongo.errors import translated

_NAMESPACE_EXISTS = 48
_UNAUTHORIZED = 13

_TEXT = {"bsonType": "string"}
_INTEGER = {"bsonType": ["int", "long"]}
_REVISION = {**_INTEGER, "minimum": 1}
_INSTANT = {"bsonType": "date"}
_NUMBER = {"bsonType": ["double", "int", "long"]}
_STATUS = {"enum": ["partial", "registered"]}
# A record has at most 50, but merges accumulate them. With this limit a log entry, which holds a hospital twice,
# stays below MongoDB's limit of 16 MB per document, so a hospital that could be merged can also be registered.
MAX_STORED_ATTRIBUTES = 1_000

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
        "maxProperties": MAX_STORED_ATTRIBUTES,
        "additionalProperties": {"bsonType": ["string", "int", "long", "double", "bool"]},
    },
    "revision": _REVISION,
    "observed_at": _INSTANT,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "created_by_job": _TEXT,
    # The import and the line that created the hospital.
    "import": {**_TEXT, "pattern": ":[1-9][0-9]*$"},
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
_APPLIED_JOB: dict[str, Any] = {
    "_id": {
        "bsonType": "object",
        "required": ["job", "hospital"],
        "additionalProperties": False,
        "properties": {"job": _TEXT, "hospital": _TEXT},
    },
    "changes": {
        "bsonType": "array",
        "items": {
            "bsonType": "object",
            "required": ["record", "revision"],
            "additionalProperties": False,
            "properties": {"record": _INTEGER, "revision": _REVISION},
        },
    },
    "discarded": {
        "bsonType": "object",
        "additionalProperties": False,
        "properties": {"created_by_job": _TEXT, "created_at": _INSTANT},
    },
    "answer": {"bsonType": "binData"},
    "expires_at": _INSTANT,
}
_IMPORT_CLAIM: dict[str, Any] = {
    "_id": {
        "bsonType": "object",
        "required": ["import", "hospital"],
        "additionalProperties": False,
        "properties": {"import": _TEXT, "hospital": _TEXT},
    },
    "line": {**_INTEGER, "minimum": 1},
    "row": {
        "bsonType": "object",
        "required": ["hospital_name"],
        "additionalProperties": False,
        "properties": {field: _HOSPITAL_STATE[field] for field in DISTINGUISHING_FIELDS},
    },
    "expires_at": _INSTANT,
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
APPLIED_JOBS_VALIDATOR: dict[str, Any] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["_id", "expires_at"],
        "additionalProperties": False,
        "properties": _APPLIED_JOB,
    }
}
IMPORT_CLAIMS_VALIDATOR: dict[str, Any] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": list(_IMPORT_CLAIM),
        "additionalProperties": False,
        "properties": _IMPORT_CLAIM,
    }
}
_COLLECTIONS: tuple[tuple[str, dict[str, Any], list[IndexModel]], ...] = (
    ("hospitals", HOSPITALS_VALIDATOR, [IndexModel([("hospital_name", ASCENDING)])]),
    ("logs", LOGS_VALIDATOR, [IndexModel([("hospital_id", ASCENDING), ("seq", ASCENDING)], unique=True)]),
    (
        "applied_jobs",
        APPLIED_JOBS_VALIDATOR,
        [IndexModel([("_id.job", ASCENDING)]), IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
    ),
    (
        IMPORT_CLAIMS,
        IMPORT_CLAIMS_VALIDATOR,
        [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
    ),
)


async def ensure_schema(mongo: MongoHandle) -> None:
    """Create missing collections and indexes and update the validators; many workers may do so at the same time.

    A user without the rights for this can start if everything is in place. Raises `ConfigurationError` if it is
    not, and `OutageError` or another error of the service if MongoDB fails to make the change.
    """
    with translated():
        for name, validator, indexes in _COLLECTIONS:
            # The check comes first: otherwise a user without the right to change the schema would be refused at
            # every start, and MongoDB logs each refusal.
            if await _is_in_place(mongo, name, validator, indexes):
                continue
            try:
                await _ensure_collection(mongo, name, validator)
                await mongo.database[name].create_indexes(indexes)
            except OperationFailure as error:
                if error.code != _UNAUTHORIZED:
                    raise
                raise ConfigurationError(
                    f"MONGODB_URL: the user cannot confirm that collection {name} of {mongo.database.name} has the "
                    "schema of this version, and may not change it: run `hospital-worker schema` as a user with "
                    "that permission (reading the schema takes listCollections and listIndexes)"
                ) from None


async def _is_in_place(mongo: MongoHandle, name: str, validator: dict[str, Any], indexes: list[IndexModel]) -> bool:
    try:
        if await _validator_of(mongo, name) != validator:
            return False
        found = await mongo.database[name].index_information()
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        return False
    return all(_has_index(found, index.document) for index in indexes)


def _has_index(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    index = found.get(wanted["name"], {})
    return bool(
        index.get("key") == list(wanted["key"].items())
        and all(index.get(option) == wanted.get(option) for option in ("unique", "expireAfterSeconds"))
    )


async def _validator_of(mongo: MongoHandle, name: str) -> Any:
    found = await mongo.database.command("listCollections", filter={"name": name})
    return next((each.get("options", {}).get("validator") for each in found["cursor"]["firstBatch"]), None)


async def _ensure_collection(mongo: MongoHandle, name: str, validator: dict[str, Any]) -> None:
    try:
        # The driver's own check for existence is off: it is a race, and the server reports an existing collection.
        await mongo.database.create_collection(name, check_exists=False, validator=validator)
        return
    except CollectionInvalid:
        pass
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise
    if await _validator_of(mongo, name) != validator:
        await mongo.database.command("collMod", name, validator=validator)
