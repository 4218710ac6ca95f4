"""Makes documents of hospitals, and compares and changes them.

A value that is not known has no field in the document. `applied_jobs` lists the jobs that changed a hospital last,
and the revision that each produced. With it a redelivered job does not overwrite a later change, and returns the
same outcome as before. `worker.mongo.memory` keeps what leaves this list.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.contract import HospitalChanges
from worker.contract.comparison import is_same
from worker.contract.known import Known
from worker.mongo.client import Document


def now() -> datetime:
    """Return the current time in whole milliseconds, as MongoDB stores it."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def new_hospital(
    hospital_id: str, known: Known, *, status: str, job_id: str, at: datetime, row: str | None = None
) -> Document:
    """Return the document of a new hospital; `row` is the row of an import that it is made from."""
    created = {
        "_id": hospital_id,
        "hospital_type": "single",
        **known,
        "status": status,
        "revision": 1,
        "created_at": at,
        "updated_at": at,
        "created_by_job": job_id,
    }
    if row is not None:
        created["import"] = row
    return created


def import_row(import_id: str, line: int) -> str:
    """Return the field `import` of a hospital: the row of an import that created it, and has its identity."""
    # One text: a document in each document made MongoDB's inserts of a chunk seven percent slower.
    return f"{import_id}:{line}"


def origin_of(hospital: Document) -> tuple[str, int] | None:
    """Return the import and the line of the row that created the hospital; `None` if no import did."""
    import_id, _, line = hospital.get("import", "").rpartition(":")
    return (import_id, int(line)) if import_id else None


def merged_hospital(current: Document, known: Known, *, at: datetime) -> Document:
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


def merge_changes_nothing(current: Known, known: Known) -> bool:
    """Whether merging `known` would leave the document exactly as it is, including `observed_at`."""
    known_attributes = known.get("attributes", {})
    attributes = current.get("attributes", {})
    return all(is_same(current.get(name), value) for name, value in known.items() if name != "attributes") and all(
        is_same(attributes.get(name), value) for name, value in known_attributes.items()
    )


def contains_known(hospital: Document, known: Known) -> bool:
    """Whether the document has all values of `known`, except `observed_at`, which may be later."""
    return merge_changes_nothing(hospital, {name: value for name, value in known.items() if name != "observed_at"})


def applied_entry(job_id: str | Document, record: int, revision: int | Document) -> Document:
    """Return an entry of `applied_jobs`; `record` is the position in a chunk, 0 for a single record."""
    return {"job": job_id, "record": record, "revision": revision}


def applied_revision(hospital: Mapping[str, Any], job_id: str, record: int = 0) -> int | None:
    """Return the revision that the job produced when it changed this hospital; `None` if it did not change it."""
    for entry in hospital.get("applied_jobs", ()):
        if entry["job"] == job_id and entry["record"] == record:
            return int(entry["revision"])
    return None


def _stored_location(coordinates: tuple[float, float]) -> Document:
    return {"type": "Point", "coordinates": list(coordinates)}
