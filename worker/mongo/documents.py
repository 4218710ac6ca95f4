"""Converts a record into a hospital's document, and merges a record into a stored one.

A value that is not known has no field in the document. `applied_jobs` lists the jobs that changed a hospital last,
and the revision that each produced. With it a redelivered job does not overwrite a later change, and returns the
same outcome as before. `worker.mongo.memory` keeps what leaves this list.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.contract import HospitalChanges, HospitalRecord
from worker.mongo.client import Document


def now() -> datetime:
    """Return the current time in whole milliseconds, as MongoDB stores it."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def known_fields(record: HospitalRecord) -> Document:
    """Return the record's known fields, as stored; an empty `attributes` is left out."""
    # This is ten times as fast as `model_dump`, and runs for every record of a file.
    known: Document = {name: value for name, value in vars(record).items() if value is not None}
    if record.location is not None:
        known["location"] = _stored_location(record.location.coordinates)
    if not record.attributes:
        known.pop("attributes", None)
    return known


def new_hospital(hospital_id: str, known: Document, *, status: str, job_id: str, at: datetime) -> Document:
    """Return the document of a new hospital."""
    return {
        "_id": hospital_id,
        "hospital_type": "single",
        **known,
        "status": status,
        "revision": 1,
        "created_at": at,
        "updated_at": at,
        "created_by_job": job_id,
    }


def merged_hospital(current: Document, known: Document, *, at: datetime) -> Document:
    """Return the document with the known fields merged in; attributes are merged key by key."""
    merged = {**current, **known, "revision": current["revision"] + 1, "updated_at": at}
    if "attributes" in known:
        merged["attributes"] = {**current.get("attributes", {}), **known["attributes"]}
    return merged


def changed_hospital(current: Document, changes: HospitalChanges, *, at: datetime) -> Document:
    """Return the document with the changes applied; a field given as `None` is removed."""
    values, cleared = split_changes(changes)
    changed = {**current, **values, "revision": current["revision"] + 1, "updated_at": at}
    for name in cleared:
        changed.pop(name, None)
    return changed


def split_changes(changes: HospitalChanges) -> tuple[Document, list[str]]:
    """Return the new values, as stored, and the names of the fields to remove."""
    given = {name: getattr(changes, name) for name in sorted(changes.model_fields_set)}
    values: Document = {name: value for name, value in given.items() if value is not None}
    if changes.location is not None:
        values["location"] = _stored_location(changes.location.coordinates)
    return values, [name for name, value in given.items() if value is None]


def merge_changes_nothing(current: Document, known: Document) -> bool:
    """Whether merging `known` would leave the document exactly as it is, including `observed_at`."""
    known_attributes = known.get("attributes", {})
    attributes = current.get("attributes", {})
    return all(_is_same(current.get(name), value) for name, value in known.items() if name != "attributes") and all(
        _is_same(attributes.get(name), value) for name, value in known_attributes.items()
    )


def contains_known(hospital: Document, known: Document) -> bool:
    """Whether the document has all values of `known`, except `observed_at`, which may be later."""
    return merge_changes_nothing(hospital, {name: value for name, value in known.items() if name != "observed_at"})


def _is_same(stored: object, value: object) -> bool:
    # In Python True == 1; in MongoDB they differ.
    return stored == value and isinstance(stored, bool) == isinstance(value, bool)


def applied_entry(job_id: str | Document, record: int, revision: int | Document) -> Document:
    """Return an entry of `applied_jobs`; `record` is the position in a chunk, 0 for a single record."""
    return {"job": job_id, "record": record, "revision": revision}


def applied_revision(hospital: Mapping[str, Any], job_id: str, record: int = 0) -> int | None:
    """Return the revision that the job produced when it changed this hospital; `None` if it did not change it."""
    for entry in hospital.get("applied_jobs", ()):
        if entry["job"] == job_id and entry["record"] == record:
            return int(entry["revision"])
    return None


def merge_pipeline(
    hospital_id: str, known: Document, *, job_id: str, record: int, at: datetime, repeats: bool = False
) -> list[Document]:
    """Return the update that inserts an absent hospital or merges `known` into a partial one.

    `repeats` means that an earlier record of the same chunk is of this hospital too. Then a hospital that this job
    created does not prove that this record was applied.

    Every value from outside is wrapped in `$literal`; otherwise MongoDB would read "$name" as a field reference.
    """
    literal = {"$literal": known}
    merged: Document = {"$mergeObjects": ["$$ROOT", literal]}
    if "attributes" in known:
        attributes = {"$mergeObjects": ["$attributes", {"$literal": known["attributes"]}]}
        merged["$mergeObjects"].append({"attributes": attributes})
    observed_at = known.get("observed_at")
    left_alone: list[Document] = [{"$eq": ["$status", "registered"]}, _was_applied(job_id, record)]
    if not repeats:
        left_alone.append({"$eq": ["$created_by_job", {"$literal": job_id}]})
    if observed_at is not None:
        # A missing field sorts below every date.
        left_alone.append({"$gt": ["$observed_at", observed_at]})
    timeless = {"$unsetField": {"field": "observed_at", "input": "$$merged"}}
    same = {"$eq": [timeless, {"$unsetField": {"field": "observed_at", "input": "$$ROOT"}}]}
    revision = {"$add": ["$revision", 1]}
    changed = {
        "$mergeObjects": [
            "$$merged",
            {
                "revision": revision,
                "updated_at": at,
                "applied_jobs": {
                    "$concatArrays": [
                        {"$ifNull": ["$applied_jobs", []]},
                        [applied_entry({"$literal": job_id}, record, revision)],
                    ]
                },
            },
        ]
    }
    created = new_hospital(hospital_id, known, status="partial", job_id=job_id, at=at)
    return [
        {
            "$replaceWith": {
                "$switch": {
                    "branches": [
                        {
                            "case": {"$eq": [{"$type": "$created_by_job"}, "missing"]},
                            "then": {"$literal": created},
                        },
                        {"case": {"$or": left_alone}, "then": "$$ROOT"},
                    ],
                    "default": {
                        # If nothing but the time of observation changes, it is stored without a new revision.
                        "$let": {"vars": {"merged": merged}, "in": {"$cond": [same, "$$merged", changed]}}
                    },
                }
            }
        }
    ]


def _was_applied(job_id: str, record: int) -> Document:
    # Records of a chunk are applied in order, so an entry of a later record shows that this one was applied too.
    # This record may have no entry of its own: it changed nothing if the same values were stored already.
    own = {"$eq": ["$$this.job", {"$literal": job_id}]}
    matching = {"$and": [own, {"$gte": ["$$this.record", record]}]}
    entries = {"$ifNull": ["$applied_jobs", []]}
    return {"$anyElementTrue": [{"$map": {"input": entries, "in": matching}}]}


def _stored_location(coordinates: tuple[float, float]) -> Document:
    return {"type": "Point", "coordinates": list(coordinates)}
