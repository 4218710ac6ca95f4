"""Ingests many records at once.

It takes one look-up of stored hospitals, one unordered insert of the absent ones and, with `merge`, unordered bulk
writes. A record that MongoDB rejects does not affect the others.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from worker.contract import ChunkOutcome, HospitalRecord, OnExisting, RecordStatus, Rejection
from worker.errors import ConflictError
from worker.mongo.client import Document, MongoHandle
from worker.mongo.documents import known_fields, merge_changes_nothing, merge_pipeline, new_hospital, now
from worker.mongo.errors import DUPLICATE_KEY, describe_code, translated
from worker.mongo.hospitals import CLASSIFYING_FIELDS, UPSERT_TRIES, classify
from worker.mongo.memory import NOTHING, Remembered

# Preparing this many records takes a few milliseconds; then other jobs get a turn on the event loop.
_RECORDS_PER_TURN = 200
# PyMongo's asynchronous client encodes a whole command without yielding to the event loop, and merges are long.
_MERGES_PER_COMMAND = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    """One valid record; `repeats` means that an earlier record of the chunk is of the same hospital.

    `same_as` is the index of that record if it has all values of this one, which then changes nothing. It is not
    sent: unlike a change it would leave no trace, and a redelivered chunk could not know that it was applied.
    """

    index: int
    record: HospitalRecord
    hospital_id: str
    known: Document
    repeats: bool
    same_as: int | None


async def ingest_many(
    mongo: MongoHandle, records: Sequence[HospitalRecord | Rejection], on_existing: OnExisting, job_id: str
) -> ChunkOutcome:
    """Ingest the records of a chunk; a `Rejection` takes the place of a record that failed validation.

    If several records are of one absent hospital, the first creates it and the others find it stored. Raises the
    errors of `worker.mongo.errors` for a failure of the whole chunk; a redelivered chunk continues where it failed.
    """
    rejections = [record for record in records if isinstance(record, Rejection)]
    entries = await _entries(records)
    statuses: dict[int, RecordStatus] = {rejection.index: "rejected" for rejection in rejections}
    remembered = await mongo.memory.recall(job_id)
    with translated():
        # A merge needs whole documents, to find out whether it would change anything.
        fields = None if on_existing == "merge" else CLASSIFYING_FIELDS
        existing = await _find(mongo, {entry.hospital_id for entry in entries}, fields)
        applied = {entry.index for entry in entries if _was_applied(entry, remembered, existing)}
        left = [entry for entry in entries if entry.index not in applied and entry.same_as is None]
        rejected = await _insert_absent(mongo, left, existing, job_id)
        if on_existing == "merge":
            to_merge = [entry for entry in left if _needs_merge(entry, existing, rejected, job_id)]
            rejected |= await _merge(mongo, to_merge, job_id)
            if to_merge:
                merged = await _find(mongo, {entry.hospital_id for entry in to_merge})
                # Other jobs may have moved entries of this chunk's first records while its last were merged.
                remembered = await mongo.memory.recall(job_id)
                await mongo.memory.shorten(merged.values())
                existing |= merged
        for entry in entries:
            problem = rejected.get(entry.index if entry.same_as is None else entry.same_as)
            if problem is not None:
                statuses[entry.index] = "rejected"
                rejections.append(Rejection(index=entry.index, problems=[problem]))
            elif (status := _remembered_status(entry, remembered)) is not None:
                statuses[entry.index] = status
            elif (stored := existing.get(entry.hospital_id)) is None:
                # The hospital was absent, so the insert created it; later records of this chunk found it stored.
                created = not entry.repeats and entry.index not in applied
                statuses[entry.index] = "created" if created else "unchanged"
            else:
                outcome = classify(
                    stored, entry.record, on_existing, job_id, position=entry.index, repeats=entry.repeats
                )
                statuses[entry.index] = outcome.status
    return ChunkOutcome(
        statuses=[statuses[index] for index in range(len(records))],
        rejections=sorted(rejections, key=lambda rejection: rejection.index),
        token=mongo.latest_token(),
    )


def _was_applied(entry: _Entry, remembered: Mapping[str, Remembered], existing: Mapping[str, Document]) -> bool:
    """Return whether the memory shows that an earlier delivery of this chunk has handled the record."""
    known = remembered.get(entry.hospital_id, NOTHING)
    if not known.changes:
        return False
    # Records are applied in order. A hospital that is gone, or was removed and is a later one's, is left alone.
    return known.created or entry.hospital_id not in existing or entry.index <= max(known.changes)


def _remembered_status(entry: _Entry, remembered: Mapping[str, Remembered]) -> RecordStatus | None:
    known = remembered.get(entry.hospital_id, NOTHING)
    if known.created and not entry.repeats:
        return "created"
    return "merged" if known.changes.get(entry.index, 1) > 1 else None


async def _entries(records: Sequence[HospitalRecord | Rejection]) -> list[_Entry]:
    entries: list[_Entry] = []
    latest: dict[str, _Entry] = {}
    for index, record in enumerate(records):
        if index % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
        if isinstance(record, Rejection):
            continue
        hospital_id, known = record.hospital_id, known_fields(record)
        earlier = latest.get(hospital_id)
        same = earlier is not None and merge_changes_nothing(earlier.known, known)
        entry = _Entry(
            index, record, hospital_id, known, earlier is not None, earlier.index if same and earlier else None
        )
        entries.append(entry)
        if not same:
            latest[hospital_id] = entry
    return entries


async def _find(
    mongo: MongoHandle, hospital_ids: Iterable[str], fields: list[str] | None = CLASSIFYING_FIELDS
) -> dict[str, Document]:
    found = mongo.hospitals.find({"_id": {"$in": list(hospital_ids)}}, projection=fields)
    return {hospital["_id"]: hospital for hospital in await found.to_list(None)}


async def _insert_absent(
    mongo: MongoHandle, entries: list[_Entry], existing: dict[str, Document], job_id: str
) -> dict[int, str]:
    """Insert the absent hospitals; add to `existing` those that another job inserted first.

    Returns why records were rejected, by index.
    """
    at = now()
    absent = [entry for entry in entries if not entry.repeats and entry.hospital_id not in existing]
    reasons: dict[str, str] = {}
    for _ in range(UPSERT_TRIES):
        if not absent:
            # If the first record of a hospital was rejected, later records of it have nothing to merge into.
            return {entry.index: reasons[entry.hospital_id] for entry in entries if entry.hospital_id in reasons}
        documents = [
            new_hospital(entry.hospital_id, entry.known, status="partial", job_id=job_id, at=at) for entry in absent
        ]
        codes: dict[int, int] = {}
        try:
            await mongo.hospitals.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            codes = _error_codes(error)
        reasons |= {
            absent[position].hospital_id: f"refused by MongoDB: {describe_code(code)}"
            for position, code in codes.items()
            if code != DUPLICATE_KEY
        }
        taken = [absent[position] for position, code in codes.items() if code == DUPLICATE_KEY]
        if taken:
            existing |= await _find(mongo, [entry.hospital_id for entry in taken])
        # A hospital that blocked the insert but is not found now was removed in between: insert it again.
        absent = [entry for entry in taken if entry.hospital_id not in existing]
    raise _lost_races(len(absent))


async def _merge(mongo: MongoHandle, entries: list[_Entry], job_id: str) -> dict[int, str]:
    """Merge each record, in order, into the stored hospital. Returns why records were rejected, by index."""
    rejected: dict[int, str] = {}
    for one_round in _rounds(entries):
        for start in range(0, len(one_round), _MERGES_PER_COMMAND):
            rejected |= await _merge_some(mongo, one_round[start : start + _MERGES_PER_COMMAND], job_id)
    return rejected


def _rounds(entries: Iterable[_Entry]) -> list[list[_Entry]]:
    """Split entries into rounds with one record per hospital, so that its records are applied in order."""
    rounds: list[list[_Entry]] = []
    seen: Counter[str] = Counter()
    for entry in entries:
        number = seen[entry.hospital_id]
        seen[entry.hospital_id] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(entry)
    return rounds


async def _merge_some(mongo: MongoHandle, entries: list[_Entry], job_id: str) -> dict[int, str]:
    at = now()
    rejected: dict[int, str] = {}
    for _ in range(UPSERT_TRIES):
        if not entries:
            return rejected
        updates = [
            UpdateOne({"_id": entry.hospital_id}, _update(entry, job_id, at), upsert=True) for entry in entries
        ]
        try:
            await mongo.hospitals.bulk_write(updates, ordered=False)
            return rejected
        except BulkWriteError as error:
            codes = _error_codes(error)
        rejected |= {
            entries[position].index: f"refused by MongoDB: {describe_code(code)}"
            for position, code in codes.items()
            if code != DUPLICATE_KEY
        }
        entries = [entries[position] for position, code in codes.items() if code == DUPLICATE_KEY]
    raise _lost_races(len(entries))


def _lost_races(count: int) -> ConflictError:
    return ConflictError(f"other jobs kept inserting and removing {count} hospitals of a chunk")


def _needs_merge(entry: _Entry, existing: Mapping[str, Document], rejected: Mapping[int, str], job_id: str) -> bool:
    if entry.index in rejected:
        return False
    if entry.repeats:
        return True
    stored = existing.get(entry.hospital_id)
    if stored is None or stored["created_by_job"] == job_id or stored["status"] == "registered":
        return False
    # A file that is ingested again changes little; skipping its no-op merges saves the server most of the work.
    return not merge_changes_nothing(stored, entry.known)


def _update(entry: _Entry, job_id: str, at: datetime) -> list[Document]:
    return merge_pipeline(
        entry.hospital_id, entry.known, job_id=job_id, record=entry.index, at=at, repeats=entry.repeats
    )


def _error_codes(error: BulkWriteError) -> dict[int, int]:
    """Return the error code of each rejected write by its position; raise an error that concerns all writes."""
    details = error.details
    if details.get("writeConcernErrors"):
        raise error
    return {failure["index"]: failure["code"] for failure in details["writeErrors"]}
