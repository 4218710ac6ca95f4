"""Takes in many records at once: one look-up of known hospitals, one unordered insert of the absent ones and, if
asked for, unordered bulk writes of merges. A record that MongoDB refuses is rejected alone.
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
from worker.mongo.documents import known_fields, knows_nothing_new, merge_pipeline, new_hospital, now
from worker.mongo.errors import DUPLICATE_KEY, describe_code, translated
from worker.mongo.hospitals import CLASSIFYING_FIELDS, UPSERT_TRIES, classify

# Preparing this many records takes a few milliseconds; other jobs' turns lie in between.
_RECORDS_PER_TURN = 200
# PyMongo's asynchronous client encodes a command in one go on the event loop, and a merge is long.
_MERGES_PER_COMMAND = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    """One valid record; `repeats`: an earlier one of the chunk is of the same hospital."""

    index: int
    record: HospitalRecord
    hospital_id: str
    known: Document
    repeats: bool


async def ingest_many(
    mongo: MongoHandle, records: Sequence[HospitalRecord | Rejection], on_existing: OnExisting, job_id: str
) -> ChunkOutcome:
    """Ingest the records of a chunk, in which each `Rejection` stands for a record already refused.

    Among records of one hospital the first creates it, the later ones meet it. Raises the errors of
    `worker.mongo.errors` for what concerns the chunk as a whole; delivered again, it goes on where it was.
    """
    rejections = [record for record in records if isinstance(record, Rejection)]
    entries = await _entries(records)
    statuses: dict[int, RecordStatus] = {rejection.index: "rejected" for rejection in rejections}
    with translated():
        # What a merge would change is told by the whole documents.
        fields = None if on_existing == "merge" else CLASSIFYING_FIELDS
        met = await _find(mongo, {entry.hospital_id for entry in entries}, fields)
        refused = await _insert_absent(mongo, entries, met, job_id)
        if on_existing == "merge":
            to_merge = [entry for entry in entries if _needs_merge(entry, met, refused, job_id)]
            refused |= await _merge(mongo, to_merge, job_id)
            met |= await _find(mongo, {entry.hospital_id for entry in to_merge})
        for entry in entries:
            if entry.index in refused:
                statuses[entry.index] = "rejected"
                rejections.append(Rejection(index=entry.index, problems=[refused[entry.index]]))
            elif (stored := met.get(entry.hospital_id)) is None:
                # Nobody had it, so the insert made it; a repeat of it in this chunk met it there.
                statuses[entry.index] = "unchanged" if entry.repeats else "created"
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


async def _entries(records: Sequence[HospitalRecord | Rejection]) -> list[_Entry]:
    entries: list[_Entry] = []
    seen: set[str] = set()
    for index, record in enumerate(records):
        if index % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
        if isinstance(record, Rejection):
            continue
        hospital_id = record.hospital_id
        entries.append(_Entry(index, record, hospital_id, known_fields(record), hospital_id in seen))
        seen.add(hospital_id)
    return entries


async def _find(
    mongo: MongoHandle, hospital_ids: Iterable[str], fields: list[str] | None = CLASSIFYING_FIELDS
) -> dict[str, Document]:
    found = mongo.hospitals.find({"_id": {"$in": list(hospital_ids)}}, projection=fields)
    return {hospital["_id"]: hospital for hospital in await found.to_list(None)}


async def _insert_absent(
    mongo: MongoHandle, entries: list[_Entry], met: dict[str, Document], job_id: str
) -> dict[int, str]:
    """Insert the hospitals that nobody has; put into `met` those that somebody else was first with.

    Returns why records were refused, by index.
    """
    at = now()
    absent = [entry for entry in entries if not entry.repeats and entry.hospital_id not in met]
    reasons: dict[str, str] = {}
    for _ in range(UPSERT_TRIES):
        if not absent:
            # Later records of a hospital whose first one was refused met nothing.
            return {entry.index: reasons[entry.hospital_id] for entry in entries if entry.hospital_id in reasons}
        documents = [
            new_hospital(entry.hospital_id, entry.known, status="partial", job_id=job_id, at=at) for entry in absent
        ]
        codes: dict[int, int] = {}
        try:
            await mongo.hospitals.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            codes = _refusals(error)
        reasons |= {
            absent[position].hospital_id: f"refused by MongoDB: {describe_code(code)}"
            for position, code in codes.items()
            if code != DUPLICATE_KEY
        }
        taken = [absent[position] for position, code in codes.items() if code == DUPLICATE_KEY]
        if taken:
            met |= await _find(mongo, [entry.hospital_id for entry in taken])
        # One that was there and is not any more has been removed in between.
        absent = [entry for entry in taken if entry.hospital_id not in met]
    raise _raced(len(absent))


async def _merge(mongo: MongoHandle, entries: list[_Entry], job_id: str) -> dict[int, str]:
    """Merge each record, in order, into the hospital that is stored. Returns why records were refused."""
    refused: dict[int, str] = {}
    for turn in _turns(entries):
        for start in range(0, len(turn), _MERGES_PER_COMMAND):
            refused |= await _merge_some(mongo, turn[start : start + _MERGES_PER_COMMAND], job_id)
    return refused


def _turns(entries: Iterable[_Entry]) -> list[list[_Entry]]:
    """Split entries so that each hospital comes once a turn: its records must be applied in their order."""
    turns: list[list[_Entry]] = []
    seen: Counter[str] = Counter()
    for entry in entries:
        turn = seen[entry.hospital_id]
        seen[entry.hospital_id] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(entry)
    return turns


async def _merge_some(mongo: MongoHandle, entries: list[_Entry], job_id: str) -> dict[int, str]:
    at = now()
    refused: dict[int, str] = {}
    for _ in range(UPSERT_TRIES):
        if not entries:
            return refused
        updates = [
            UpdateOne({"_id": entry.hospital_id}, _update(entry, job_id, at), upsert=True) for entry in entries
        ]
        try:
            await mongo.hospitals.bulk_write(updates, ordered=False)
            return refused
        except BulkWriteError as error:
            codes = _refusals(error)
        refused |= {
            entries[position].index: f"refused by MongoDB: {describe_code(code)}"
            for position, code in codes.items()
            if code != DUPLICATE_KEY
        }
        entries = [entries[position] for position, code in codes.items() if code == DUPLICATE_KEY]
    raise _raced(len(entries))


def _raced(count: int) -> ConflictError:
    return ConflictError(f"{count} hospitals of a chunk were inserted and removed by others over and over")


def _needs_merge(entry: _Entry, met: Mapping[str, Document], refused: Mapping[int, str], job_id: str) -> bool:
    if entry.index in refused:
        return False
    if entry.repeats:
        return True
    stored = met.get(entry.hospital_id)
    if stored is None or stored["created_by_job"] == job_id or stored["status"] == "registered":
        return False
    # A file that is read again changes little; seeing so here spares the server most of the work.
    return not knows_nothing_new(stored, entry.known)


def _update(entry: _Entry, job_id: str, at: datetime) -> list[Document]:
    return merge_pipeline(
        entry.hospital_id, entry.known, job_id=job_id, record=entry.index, at=at, repeats=entry.repeats
    )


def _refusals(error: BulkWriteError) -> dict[int, int]:
    """Return the code of each refused write by its position; raise what concerns all of them."""
    details = error.details
    if details.get("writeConcernErrors"):
        raise error
    return {failure["index"]: failure["code"] for failure in details["writeErrors"]}
