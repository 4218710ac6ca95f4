"""The commands that read and write the hospitals of a chunk.

Each write is unordered, so that a hospital that MongoDB refuses does not affect the others.
"""

from collections.abc import Iterable, Mapping, Sequence

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from worker.errors import ConflictError
from worker.mongo.chunk_rows import Row
from worker.mongo.client import Document, MongoHandle
from worker.mongo.documents import new_hospital, now
from worker.mongo.errors import DUPLICATE_KEY, concerns_all, describe_code
from worker.mongo.hospitals import UPSERT_TRIES
from worker.mongo.updates import Ingest, expected_hospital, ingest_pipeline

# PyMongo's asynchronous client encodes a whole command without yielding to the event loop, and merges are long.
_CHANGES_PER_COMMAND = 200


async def find_hospitals(mongo: MongoHandle, hospital_ids: Iterable[str]) -> dict[str, Document]:
    """Return the stored hospitals among these."""
    found = mongo.hospitals.find({"_id": {"$in": list(hospital_ids)}})
    return {hospital["_id"]: hospital for hospital in await found.to_list(None)}


async def insert_absent(
    mongo: MongoHandle, absent: Sequence[Row], existing: dict[str, Document], job_id: str
) -> tuple[set[str], dict[str, str]]:
    """Insert these hospitals, and add to `existing` each as it was inserted, now or first by another job.

    Returns the identities of those inserted now, and why hospitals were refused, by identity. Raises
    `ConflictError` if other jobs keep inserting and removing them.
    """
    at = now()
    inserted: set[str] = set()
    refused: dict[str, str] = {}
    for _ in range(UPSERT_TRIES):
        if not absent:
            return inserted, refused
        documents = [
            new_hospital(row.hospital_id, row.known, status="partial", job_id=job_id, at=at, row=row.origin)
            for row in absent
        ]
        codes: dict[int, int] = {}
        try:
            await mongo.hospitals.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            codes = _error_codes(error)
        for position, document in enumerate(documents):
            if position not in codes:
                inserted.add(document["_id"])
                existing[document["_id"]] = document
        refused |= {absent[position].hospital_id: reason for position, reason in _refusals(codes).items()}
        taken = [absent[position] for position, code in codes.items() if code == DUPLICATE_KEY]
        if taken:
            existing |= await find_hospitals(mongo, [row.hospital_id for row in taken])
        # A hospital that blocked the insert but is not found now was removed in between: insert it again.
        absent = [row for row in taken if row.hospital_id not in existing]
    raise lost_races(len(absent))


async def change(
    mongo: MongoHandle, rows: Sequence[Row], existing: Mapping[str, Document], job_id: str, *, whole: bool
) -> dict[int, str]:
    """Merge one row into each hospital, if the hospital's name and place are still those in `existing`.

    With `whole` a row replaces the whole content. Returns why rows were refused, by index. Raises `ConflictError`
    if other jobs keep inserting and removing the hospitals.
    """
    refused: dict[int, str] = {}
    for start in range(0, len(rows), _CHANGES_PER_COMMAND):
        refused |= await _change_some(
            mongo, rows[start : start + _CHANGES_PER_COMMAND], existing, job_id, whole=whole
        )
    return refused


async def _change_some(
    mongo: MongoHandle, rows: Sequence[Row], existing: Mapping[str, Document], job_id: str, *, whole: bool
) -> dict[int, str]:
    at = now()
    refused: dict[int, str] = {}
    for _ in range(UPSERT_TRIES):
        if not rows:
            return refused
        updates = []
        for row in rows:
            ingest = Ingest(
                hospital_id=row.hospital_id,
                known=row.known,
                job_id=job_id,
                at=at,
                position=row.position,
                repeats=row.repeats,
                row=row.origin,
                unread=row.unread,
            )
            expected = expected_hospital(existing.get(row.hospital_id, {}))
            pipeline = ingest_pipeline(ingest, whole=whole, expected=expected)
            updates.append(UpdateOne({"_id": row.hospital_id}, pipeline, upsert=True))
        try:
            await mongo.hospitals.bulk_write(updates, ordered=False)
            return refused
        except BulkWriteError as error:
            codes = _error_codes(error)
        refused |= {rows[position].position: reason for position, reason in _refusals(codes).items()}
        rows = [rows[position] for position, code in codes.items() if code == DUPLICATE_KEY]
    raise lost_races(len(rows))


def lost_races(count: int) -> ConflictError:
    """Return the error of a chunk whose hospitals other jobs keep changing."""
    return ConflictError(f"other jobs kept inserting, changing and removing {count} hospitals of a chunk")


def _refusals(codes: Mapping[int, int]) -> dict[int, str]:
    return {
        position: f"refused by MongoDB: {describe_code(code)}"
        for position, code in codes.items()
        if code != DUPLICATE_KEY
    }


def _error_codes(error: BulkWriteError) -> dict[int, int]:
    """Return the error code of each rejected write by its position; raise an error that concerns all writes."""
    details = error.details
    if details.get("writeConcernErrors"):
        raise error
    codes = {failure["index"]: failure["code"] for failure in details["writeErrors"]}
    if any(concerns_all(code) for code in codes.values()):
        # Its row is not to blame: the job is run again, and recognises what it has written.
        raise error
    return codes
