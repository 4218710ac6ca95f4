"""The sessionless operations on one hospital: each write is one atomic command and needs no replica set."""

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
from worker.contract.comparison import CONTENT_FIELDS, content_differences
from worker.contract.known import Known, known_fields
from worker.errors import ConflictError, KeyUsedTwice
from worker.mongo.client import Collection, Document, MongoHandle
from worker.mongo.documents import (
    applied_entry,
    applied_revision,
    contains_known,
    new_hospital,
    now,
    split_changes,
)
from worker.mongo.errors import translated
from worker.mongo.fates import APPLIED, Fate, changed_word, find_fate
from worker.mongo.memory import incarnation
from worker.mongo.reports import describe
from worker.mongo.updates import Ingest, expected_hospital, expected_name, ingest_pipeline

# The server itself repeats an upsert that lost a race; these tries are for the few that it does not repeat.
UPSERT_TRIES = 5
CLASSIFYING_FIELDS = ["status", "revision", "observed_at", "created_by_job", "applied_jobs"]


async def ingest(mongo: MongoHandle, record: HospitalRecord, on_existing: OnExisting, job_id: str) -> IngestOutcome:
    """Insert the hospital if it is absent; with `merge` or `replace`, change a partial one.

    Raises `ConflictError` if it repeatedly lost the race with other jobs that insert or change this hospital.
    Raises `KeyUsedTwice` if this job has already ingested a different record of this hospital; this is detected
    only if the hospital has not changed since. Also raises the other errors of `worker.mongo.errors`.
    """
    hospital_id = record.hospital_id
    first = await mongo.memory.recall_one(job_id, hospital_id)
    if (revision := first.changes.get(0)) is not None:
        status = "created" if first.created else changed_word(on_existing)
        return IngestOutcome(status=status, hospital_id=hospital_id, revision=revision, token=mongo.latest_token())
    ingesting = Ingest(hospital_id=hospital_id, known=known_fields(record), job_id=job_id, at=now())
    with translated():
        stored, fate = await _apply(mongo.hospitals, ingesting, on_existing)
        outcome = _ingest_outcome(mongo, ingesting, on_existing, stored, fate)
        written_before = fate.status in APPLIED and stored["updated_at"] != ingesting.at
        # An earlier delivery of this job wrote it; what it wrote is still known if nobody has changed it since.
        if written_before and fate.revision == stored["revision"] and not contains_known(stored, ingesting.known):
            raise KeyUsedTwice(f"job {job_id} has already ingested a different record of this hospital")
    await mongo.memory.shorten([stored])
    return outcome


async def _apply(hospitals: Collection, ingesting: Ingest, on_existing: OnExisting) -> tuple[Document, Fate]:
    """Write the record; return the hospital as it is then, and what became of the record."""
    # With the stored name a record is never in conflict. Only a record with another name needs a second command,
    # because only here, and not at the server, names can be compared without regard to spelling.
    expected = expected_name(ingesting.known["hospital_name"])
    for _ in range(UPSERT_TRIES):
        update: Document | list[Document]
        if on_existing == "keep":
            created = new_hospital(
                ingesting.hospital_id, ingesting.known, status="partial", job_id=ingesting.job_id, at=ingesting.at
            )
            del created["_id"]
            update = {"$setOnInsert": created}
        else:
            update = ingest_pipeline(ingesting, whole=on_existing == "replace", expected=expected)
        stored = await _upsert(hospitals, ingesting.hospital_id, update, _projection(ingesting.known, on_existing))
        fate = find_fate(stored, ingesting.known, on_existing, ingesting.job_id)
        if fate is not None:
            return stored, fate
        expected = expected_hospital(stored)
    raise ConflictError("other jobs kept changing name or place of the hospital to ingest")


def _projection(known: Known, on_existing: OnExisting) -> list[str]:
    # The attributes of a hospital may be large.
    attributes = ["attributes"] if "attributes" in known or on_existing == "replace" else []
    return [*CLASSIFYING_FIELDS, "updated_at", "source", "external_id", *CONTENT_FIELDS, *attributes]


def _ingest_outcome(
    mongo: MongoHandle, ingesting: Ingest, on_existing: OnExisting, stored: Document, fate: Fate
) -> IngestOutcome:
    outcome = IngestOutcome(
        status=fate.status, hospital_id=ingesting.hospital_id, revision=fate.revision, token=mongo.latest_token()
    )
    if fate.status in APPLIED or fate.status == "same":
        return outcome
    found = content_differences(stored, ingesting.known, whole=on_existing == "replace")
    return outcome.model_copy(update={"differences": describe(found)})


async def _upsert(
    hospitals: Collection, hospital_id: str, update: Document | list[Document], projection: list[str]
) -> Document:
    tries_left = UPSERT_TRIES
    while True:
        try:
            stored = await hospitals.find_one_and_update(
                {"_id": hospital_id},
                update,
                upsert=True,
                return_document=ReturnDocument.AFTER,
                projection=projection,
            )
            # An upsert with ReturnDocument.AFTER always returns a document.
            return cast(Document, stored)
        except DuplicateKeyError:
            tries_left -= 1
            if not tries_left:
                raise
            await asyncio.sleep(0)


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
