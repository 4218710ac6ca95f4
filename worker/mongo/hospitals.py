"""The sessionless operations on hospitals: each is one atomic command, needs no session and no replica set."""

import asyncio
from typing import cast

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from worker.contract import (
    ConflictReason,
    CorrectHospital,
    CorrectionOutcome,
    DiscardHospital,
    DiscardOutcome,
    HospitalRecord,
    IngestOutcome,
    OnExisting,
)
from worker.errors import KeyUsedTwice
from worker.mongo.client import Collection, Document, MongoHandle
from worker.mongo.documents import (
    REMEMBERED_CHANGES,
    applied_entry,
    applied_revision,
    known_fields,
    merge_pipeline,
    new_hospital,
    now,
    split_changes,
    tells_of,
)
from worker.mongo.errors import translated

# The server repeats an upsert that lost a race by itself; this many are left for the few that it gives up.
UPSERT_TRIES = 5
CLASSIFYING_FIELDS = ["status", "revision", "observed_at", "created_by_job", "applied_jobs"]


async def ingest(mongo: MongoHandle, record: HospitalRecord, on_existing: OnExisting, job_id: str) -> IngestOutcome:
    """Insert the hospital if it is absent; with `merge`, else put what the record knows into a partial one.

    Raises `ConflictError` if the race with other inserts of this hospital was lost over and over, `KeyUsedTwice`
    if this job has ingested another record of it before (as far as the hospital, if unchanged since, still tells),
    and the other errors of `worker.mongo.errors`.
    """
    hospital_id = record.hospital_id
    known = known_fields(record)
    at = now()
    update: Document | list[Document]
    if on_existing == "merge":
        update = merge_pipeline(hospital_id, known, job_id=job_id, record=0, at=at)
    else:
        created = new_hospital(hospital_id, known, status="partial", job_id=job_id, at=at)
        del created["_id"]
        update = {"$setOnInsert": created}
    with translated():
        stored = await _upsert(mongo.hospitals, hospital_id, update)
        outcome = classify(stored, record, on_existing, job_id, token=mongo.latest_token())
        if outcome.status != "unchanged" and outcome.revision == stored["revision"] and stored["updated_at"] != at:
            # An earlier delivery did it, and nobody has changed the hospital since.
            await _check_same_act(mongo.hospitals, stored, known, job_id)
        return outcome


async def _check_same_act(hospitals: Collection, stored: Document, known: Document, job_id: str) -> None:
    hospital = await hospitals.find_one({"_id": stored["_id"], "revision": stored["revision"]})
    if hospital is not None and not tells_of(hospital, known):
        raise KeyUsedTwice(f"job {job_id} has ingested another record of this hospital already")


async def _upsert(hospitals: Collection, hospital_id: str, update: Document | list[Document]) -> Document:
    tries_left = UPSERT_TRIES
    while True:
        try:
            stored = await hospitals.find_one_and_update(
                {"_id": hospital_id},
                update,
                upsert=True,
                return_document=ReturnDocument.AFTER,
                projection=[*CLASSIFYING_FIELDS, "updated_at"],
            )
            # An upsert that returns the document after it always has one.
            return cast(Document, stored)
        except DuplicateKeyError:
            tries_left -= 1
            if not tries_left:
                raise
            await asyncio.sleep(0)


def classify(
    stored: Document,
    record: HospitalRecord,
    on_existing: OnExisting,
    job_id: str,
    *,
    position: int = 0,
    repeats: bool = False,
    token: str | None = None,
) -> IngestOutcome:
    """Return what an ingest did, as told by the document that it left.

    `token` is that of the write, `position` that of the record in its chunk; `repeats`: an earlier one there is of
    the same hospital.
    """
    hospital_id = stored["_id"]
    if not repeats and stored["created_by_job"] == job_id:
        return IngestOutcome(status="created", hospital_id=hospital_id, revision=1, token=token)
    if (revision := applied_revision(stored, job_id, position)) is not None:
        return IngestOutcome(status="merged", hospital_id=hospital_id, revision=revision, token=token)
    unchanged = IngestOutcome(status="unchanged", hospital_id=hospital_id, revision=stored["revision"], token=token)
    if on_existing == "keep":
        return unchanged.model_copy(update={"reason": "kept"})
    if stored["status"] == "registered":
        return unchanged.model_copy(update={"reason": "registered"})
    observed_at = stored.get("observed_at")
    newer = observed_at is not None and record.observed_at is not None and observed_at > record.observed_at
    return unchanged.model_copy(update={"reason": "newer_stored" if newer else "same"})


async def correct(mongo: MongoHandle, order: CorrectHospital, job_id: str) -> CorrectionOutcome:
    """Change a partial hospital if it still has the revision that the caller saw."""
    values, cleared = split_changes(order.changes)
    entry = applied_entry(job_id, 0, order.revision + 1)
    update: Document = {
        "$set": {**values, "updated_at": now()},
        "$inc": {"revision": 1},
        "$push": {"applied_jobs": {"$each": [entry], "$slice": -REMEMBERED_CHANGES}},
    }
    if cleared:
        update["$unset"] = dict.fromkeys(cleared, "")
    hospital_id = order.hospital_id
    with translated():
        result = await mongo.hospitals.update_one(_partial(hospital_id, order.revision), update)
        if result.matched_count:
            return CorrectionOutcome(
                status="corrected", hospital_id=hospital_id, revision=order.revision + 1, token=mongo.latest_token()
            )
        met = await mongo.hospitals.find_one({"_id": hospital_id}, projection=CLASSIFYING_FIELDS)
        if met is None:
            return CorrectionOutcome(status="not_found", hospital_id=hospital_id, token=mongo.latest_token())
        if (revision := applied_revision(met, job_id)) is not None:
            if revision != order.revision + 1:
                raise KeyUsedTwice(f"job {job_id} has corrected another revision of this hospital already")
            return CorrectionOutcome(
                status="corrected", hospital_id=hospital_id, revision=revision, token=mongo.latest_token()
            )
        return CorrectionOutcome(
            status="conflict",
            reason=_reason(met),
            hospital_id=hospital_id,
            revision=met["revision"],
            token=mongo.latest_token(),
        )


async def discard(mongo: MongoHandle, order: DiscardHospital) -> DiscardOutcome:
    """Remove a partial hospital if it still has the revision that the caller saw.

    An absent hospital counts as discarded: the caller named a revision, so it was there.
    """
    hospital_id = order.hospital_id
    with translated():
        result = await mongo.hospitals.delete_one(_partial(hospital_id, order.revision))
        met = None
        if not result.deleted_count:
            met = await mongo.hospitals.find_one({"_id": hospital_id}, projection=CLASSIFYING_FIELDS)
        if met is None:
            return DiscardOutcome(
                status="discarded", hospital_id=hospital_id, revision=order.revision, token=mongo.latest_token()
            )
        return DiscardOutcome(
            status="conflict",
            reason=_reason(met),
            hospital_id=hospital_id,
            revision=met["revision"],
            token=mongo.latest_token(),
        )


def _partial(hospital_id: str, revision: int) -> Document:
    return {"_id": hospital_id, "status": "partial", "revision": revision}


def _reason(met: Document) -> ConflictReason:
    return "registered" if met["status"] == "registered" else "revision"
