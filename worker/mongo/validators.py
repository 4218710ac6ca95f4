"""The JSON schemas of the collections' documents.

The validators apply to every client that writes, not only to this service. They leave lengths and ranges of text to
the contract, and accept everything that the contract accepts.
"""

from collections.abc import Iterable
from typing import Any, get_args

from worker.contract.actions import MOST_IDS, Act, ActionTarget
from worker.contract.comparison import DISTINGUISHING_FIELDS, FURTHER_FIELDS
from worker.mongo.audit.log import AuditEvent

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
    "local_id": _TEXT,
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
_IN_CLAIM = (*DISTINGUISHING_FIELDS, *FURTHER_FIELDS, "observed_at")
_IMPORT_CLAIM: dict[str, Any] = {
    "_id": {"bsonType": "objectId"},
    "import": _TEXT,
    "claims": {
        "bsonType": "array",
        "minItems": 1,
        "items": {
            "bsonType": "object",
            "required": ["hospital", "line", "row"],
            "additionalProperties": False,
            "properties": {
                "hospital": _TEXT,
                "line": {**_INTEGER, "minimum": 1},
                "row": {
                    "bsonType": "object",
                    "required": ["hospital_name"],
                    "additionalProperties": False,
                    "properties": {field: _HOSPITAL_STATE[field] for field in _IN_CLAIM},
                },
            },
        },
    },
    "expires_at": _INSTANT,
}
_IMPORT: dict[str, Any] = {
    "_id": {"bsonType": "string", "minLength": 1},
    "state": {"enum": ["running", "finished", "cancelled"]},
    "fingerprint": _TEXT,
    "file": {
        "bsonType": "object",
        "required": ["name", "bytes", "sha256", "rows"],
        "additionalProperties": False,
        "properties": {"name": _TEXT, "bytes": _INTEGER, "sha256": _TEXT, "rows": _INTEGER},
    },
    "on_existing": {"enum": ["keep", "merge", "replace"]},
    "source": _TEXT,
    "strict": {"bsonType": "bool"},
    "profile": _TEXT,
    "started_by": _TEXT,
    "started_at": _INSTANT,
    "ended_at": _INSTANT,
    "counts": {"bsonType": "object", "additionalProperties": _INTEGER},
}
_OPTIONAL_IN_IMPORT = frozenset({"source", "ended_at", "counts"})
_IMPORT_REPORT: dict[str, Any] = {
    "_id": {
        "bsonType": "object",
        "required": ["import", "chunk"],
        "additionalProperties": False,
        "properties": {"import": _TEXT, "chunk": _INTEGER},
    },
    "entries": {"bsonType": "array", "items": {"bsonType": "object"}},
    "shortened": {"bsonType": "bool"},
    "expires_at": _INSTANT,
}
_ACTION: dict[str, Any] = {
    "_id": {"bsonType": "string", "minLength": 1},
    "at": _INSTANT,
    "actor": {"bsonType": "string", "minLength": 1},
    "act": {"enum": list(get_args(Act))},
    "target": {"enum": list(get_args(ActionTarget))},
    "ids": {"bsonType": "array", "maxItems": MOST_IDS, "items": _TEXT},
    "selection": {"bsonType": "object", "additionalProperties": _TEXT},
    "count": {**_INTEGER, "minimum": 0},
    "result": _TEXT,
    "reason": _TEXT,
    "operation": _TEXT,
}
_OPTIONAL_IN_ACTION = frozenset({"count"})
_TEXTS = {"bsonType": "array", "items": _TEXT}
_ENDED_JOBS: dict[str, Any] = {
    "_id": _TEXT,
    "at": _INSTANT,
    "expires_at": _INSTANT,
    "worker": _TEXT,
    "ended": {**_INTEGER, "minimum": 0},
    "traces": _TEXT,
    "jobs": _TEXTS,
    "functions": _TEXTS,
    "hospitals": _TEXTS,
    "outcomes": _TEXTS,
    "errors": _TEXTS,
    "batches": _TEXTS,
}
_OUTBOX_JOB: dict[str, Any] = {
    "_id": {
        "bsonType": "object",
        "required": ["hospital", "seq"],
        "additionalProperties": False,
        "properties": {"hospital": {**_TEXT, "minLength": 1}, "seq": {**_INTEGER, "minimum": 1}},
    },
    "job": _TEXT,
    "due": _INSTANT,
    "delay_ms": {**_INTEGER, "minimum": 0},
    "envelope": {"bsonType": "binData"},
}
_OUTBOX_HOSPITAL: dict[str, Any] = {
    "_id": {**_TEXT, "minLength": 1},
    "seq": {**_INTEGER, "minimum": 1},
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
    "event": {"enum": list(get_args(AuditEvent))},
    "actor": {"bsonType": "string", "minLength": 1},
    "reason": {"bsonType": "string", "minLength": 1},
    "before": _HOSPITAL_IN_LOG,
    "after": _HOSPITAL_IN_LOG,
    "at": _INSTANT,
    "job_id": _TEXT,
    "prev_hash": {"bsonType": ["string", "null"]},
    "hash": {"bsonType": "string", "minLength": 64, "maxLength": 64},
}


def _validator(properties: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
    """Return the validator of documents that have these fields and no others."""
    return {
        "$jsonSchema": {
            "bsonType": "object",
            "required": list(required),
            "additionalProperties": False,
            "properties": properties,
        }
    }


HOSPITALS_VALIDATOR = _validator({**_HOSPITAL_STATE, "applied_jobs": _APPLIED_JOBS}, _REQUIRED_OF_HOSPITAL)
LOGS_VALIDATOR = _validator(_LOG_ENTRY, _LOG_ENTRY)
APPLIED_JOBS_VALIDATOR = _validator(_APPLIED_JOB, ["_id", "expires_at"])
IMPORT_CLAIMS_VALIDATOR = _validator(_IMPORT_CLAIM, _IMPORT_CLAIM)
IMPORTS_VALIDATOR = _validator(_IMPORT, [name for name in _IMPORT if name not in _OPTIONAL_IN_IMPORT])
IMPORT_REPORTS_VALIDATOR = _validator(_IMPORT_REPORT, _IMPORT_REPORT)
ACTIONS_VALIDATOR = _validator(_ACTION, [name for name in _ACTION if name not in _OPTIONAL_IN_ACTION])
OUTBOX_VALIDATOR = _validator(_OUTBOX_JOB, _OUTBOX_JOB)
OUTBOX_HOSPITALS_VALIDATOR = _validator(_OUTBOX_HOSPITAL, _OUTBOX_HOSPITAL)
JOB_HISTORY_VALIDATOR: dict[str, Any] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["_id", "at", "expires_at", "worker", "ended", "traces"],
        # Workers of a later version may add to it while this one serves.
        "properties": _ENDED_JOBS,
    }
}
