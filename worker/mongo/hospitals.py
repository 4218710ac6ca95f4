"""The sessionless operations on one hospital: each write is one atomic command and needs no replica set."""

import asyncio
from typing import Literal, cast

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
from worker.errors import ConflictError, KeyUsedTwice
from worker.mongo.client import Collection, Document, MongoHandle
from worker.mongo.documents import (
    applied_entry,
    applied_revision,
    contains_known,
    known_fields,
    merge_pipeline,
    new_hospital,
    now,
    split_changes,
)
from worker.mongo.errors import translated
from worker.mongo.memory import incarnation

# The server itself repeats an upsert that lost a race; these tries are for the few that it does not repeat.
UPSERT_TRIES = 5
CLASSIFYING_FIELDS = ["status", "revision", "observed_at", "created_by_job", "applied_jobs"]


async def ingest(mongo: MongoHandle, record: HospitalRecord, on_existing: OnExisting, job_id: str) -> IngestOutcome:
    """Insert the hospital if it is absent; with `merge`, merge the record's known fields into a partial one.

    Raises `ConflictError` if it repeatedly lost the race with other inserts of this hospital. Raises `KeyUsedTwice`
    if this job has already ingested a different record of this hospital; this is detected only if the hospital has
    not changed since. Also raises the other errors of `worker.mongo.errors`.
    """
    hospital_id = record.hospital_id
    first = await mongo.memory.recall_one(job_id, hospital_id)
    if (revision := first.changes.get(0)) is not None:
        status: Literal["created", "merged"] = "created" if first.created else "merged"
        return IngestOutcome(status=status, hospital_id=hospital_id, revision=revision, token=mongo.latest_token())
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
            # An earlier delivery of this job wrote it, and the hospital has not changed since.
            await _check_same_record(mongo.hospitals, stored, known, job_id)
    await mongo.memory.shorten([stored])
    return outcome


async def _check_same_record(hospitals: Collection, stored: Document, known: Document, job_id: str) -> None:
    hospital = await hospitals.find_one({"_id": stored["_id"], "revision": stored["revision"]})
    if hospital is not None and not contains_known(hospital, known):
        raise KeyUsedTwice(f"job {job_id} has already ingested a different record of this hospital")


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
            # An upsert with ReturnDocument.AFTER always returns a document.
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
    """Return the outcome of an ingest, derived from the document that is stored after it.

    `token` is the write's causal token, `position` the record's position in its chunk. `repeats` means that an
    earlier record of the chunk is of the same hospital.
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


async def correct(mongo: MongoHandle, request: CorrectHospital, job_id: str) -> CorrectionOutcome:
    """Change a partial hospital if it still has the revision that the caller saw."""
    hospital_id = request.hospital_id
    first = await mongo.memory.recall_one(job_id, hospital_id)
    if (revision := first.changes.get(0)) is not None:
        return _first_correction(mongo, request, job_id, revision)
    values, cleared = split_changes(request.changes)
    entry = applied_entry(job_id, 0, request.revision + 1)
    update: Document = {
        "$set": {**values, "updated_at": now()},
        "$inc": {"revision": 1},
        "$push": {"applied_jobs": entry},
    }
    if cleared:
        update["$unset"] = dict.fromkeys(cleared, "")
    with translated():
        corrected = await mongo.hospitals.find_one_and_update(
            _partial(hospital_id, request.revision),
            update,
            return_document=ReturnDocument.AFTER,
            projection=["applied_jobs"],
        )
        if corrected is not None:
            token = mongo.latest_token()
            await mongo.memory.shorten([corrected])
            return CorrectionOutcome(
                status="corrected", hospital_id=hospital_id, revision=request.revision + 1, token=token
            )
        stored = await mongo.hospitals.find_one({"_id": hospital_id}, projection=CLASSIFYING_FIELDS)
        if stored is None:
            return CorrectionOutcome(status="not_found", hospital_id=hospital_id, token=mongo.latest_token())
        if (revision := applied_revision(stored, job_id)) is not None:
            return _first_correction(mongo, request, job_id, revision)
        return CorrectionOutcome(
            status="conflict",
            reason=_conflict_reason(stored),
            hospital_id=hospital_id,
            revision=stored["revision"],
            token=mongo.latest_token(),
        )


def _first_correction(
    mongo: MongoHandle, request: CorrectHospital, job_id: str, revision: int
) -> CorrectionOutcome:
    """Return the outcome of an earlier delivery of this job, which produced `revision`."""
    if revision != request.revision + 1:
        raise KeyUsedTwice(f"job {job_id} has already corrected another revision of this hospital")
    return CorrectionOutcome(
        status="corrected", hospital_id=request.hospital_id, revision=revision, token=mongo.latest_token()
    )


async def discard(mongo: MongoHandle, request: DiscardHospital, job_id: str) -> DiscardOutcome:
    """Remove a partial hospital if it still has the revision that the caller saw.

    An absent hospital counts as discarded: the caller named a revision, so the hospital existed before. What jobs
    did to the hospital, and this discard, are kept before it is removed. Raises `ConflictError` if other jobs kept
    removing and inserting the hospital, and the other errors of `worker.mongo.errors`.
    """
    hospital_id = request.hospital_id
    first = (await mongo.memory.recall_one(job_id, hospital_id)).discarded
    fields = [*CLASSIFYING_FIELDS, "created_at"]
    with translated():
        for _ in range(UPSERT_TRIES):
            stored = await mongo.hospitals.find_one({"_id": hospital_id}, projection=fields)
            if first is not None and (stored is None or incarnation(stored) != first):
                # An earlier delivery removed what it had set out to remove; what is stored now was created later.
                return _discarded(mongo, request)
            if stored is None:
                await mongo.memory.remember_discard(job_id, hospital_id, None)
                return _discarded(mongo, request)
            if stored["status"] != "partial" or stored["revision"] != request.revision:
                return DiscardOutcome(
                    status="conflict",
                    reason=_conflict_reason(stored),
                    hospital_id=hospital_id,
                    revision=stored["revision"],
                    token=mongo.latest_token(),
                )
            await mongo.memory.remember_removal(stored)
            await mongo.memory.remember_discard(job_id, hospital_id, stored)
            seen = {**_partial(hospital_id, request.revision), **incarnation(stored)}
            if (await mongo.hospitals.delete_one(seen)).deleted_count:
                return _discarded(mongo, request)
    raise ConflictError("other jobs kept removing and inserting the hospital to discard")


def _discarded(mongo: MongoHandle, request: DiscardHospital) -> DiscardOutcome:
    return DiscardOutcome(
        status="discarded",
        hospital_id=request.hospital_id,
        revision=request.revision,
        token=mongo.latest_token(),
    )


def _partial(hospital_id: str, revision: int) -> Document:
    return {"_id": hospital_id, "status": "partial", "revision": revision}


def _conflict_reason(stored: Document) -> ConflictReason:
    return "registered" if stored["status"] == "registered" else "revision"
