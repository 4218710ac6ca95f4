"""The collections with their validators and indexes, created at start."""

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collation import Collation
from pymongo.errors import CollectionInvalid, OperationFailure

from worker.errors import ConfigurationError
from worker.mongo.actions import ACTION_INDEXES, ACTIONS
from worker.mongo.claims import CLAIM_INDEXES, IMPORT_CLAIMS
from worker.mongo.client import MongoHandle
from worker.mongo.errors import translated
from worker.mongo.imports import IMPORT_REPORTS, IMPORTS
from worker.mongo.job_history import HISTORY_INDEXES, JOB_HISTORY
from worker.mongo.outbox import OUTBOX_INDEXES
from worker.mongo.outbox_writes import OUTBOX, OUTBOX_HOSPITALS
from worker.mongo.validators import (
    ACTIONS_VALIDATOR,
    APPLIED_JOBS_VALIDATOR,
    HOSPITALS_VALIDATOR,
    IMPORT_CLAIMS_VALIDATOR,
    IMPORT_REPORTS_VALIDATOR,
    IMPORTS_VALIDATOR,
    JOB_HISTORY_VALIDATOR,
    LOGS_VALIDATOR,
    OUTBOX_HOSPITALS_VALIDATOR,
    OUTBOX_VALIDATOR,
)

NAMES = Collation(locale="en", strength=1, alternate="shifted", maxVariable="punct")
"""How names are compared in a look-up of hospitals that another list writes otherwise: by their letters alone."""

_NAMESPACE_EXISTS = 48
_UNAUTHORIZED = 13

_COLLECTIONS: tuple[tuple[str, dict[str, Any], list[IndexModel]], ...] = (
    (
        "hospitals",
        HOSPITALS_VALIDATOR,
        [
            IndexModel([("hospital_name", ASCENDING)]),
            IndexModel([("hospital_name", ASCENDING)], name="hospital_name_letters", collation=NAMES),
        ],
    ),
    ("logs", LOGS_VALIDATOR, [IndexModel([("hospital_id", ASCENDING), ("seq", ASCENDING)], unique=True)]),
    (
        "applied_jobs",
        APPLIED_JOBS_VALIDATOR,
        [IndexModel([("_id.job", ASCENDING)]), IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
    ),
    (IMPORT_CLAIMS, IMPORT_CLAIMS_VALIDATOR, CLAIM_INDEXES),
    (
        IMPORTS,
        IMPORTS_VALIDATOR,
        [
            IndexModel([("started_at", DESCENDING)]),
            # One import of the same file and options runs at a time.
            IndexModel(
                [("fingerprint", ASCENDING)], unique=True, partialFilterExpression={"state": {"$eq": "running"}}
            ),
        ],
    ),
    (
        IMPORT_REPORTS,
        IMPORT_REPORTS_VALIDATOR,
        [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
    ),
    (ACTIONS, ACTIONS_VALIDATOR, ACTION_INDEXES),
    (JOB_HISTORY, JOB_HISTORY_VALIDATOR, HISTORY_INDEXES),
    (OUTBOX, OUTBOX_VALIDATOR, OUTBOX_INDEXES),
    # Documents are found by their id alone.
    (OUTBOX_HOSPITALS, OUTBOX_HOSPITALS_VALIDATOR, []),
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
                if indexes:
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
