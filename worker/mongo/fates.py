"""Says what became of a record, from the document that is stored after its ingest."""

from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from worker.contract import IngestStatus, OnExisting
from worker.contract.comparison import ALL_READ, content_differences, is_conflict
from worker.contract.known import Known
from worker.mongo.documents import applied_revision

# Whether a record with one of these statuses changed the registry.
APPLIED: frozenset[str] = frozenset({"created", "merged", "replaced"})


class Fate(NamedTuple):
    """What became of a record, and the revision that it produced, or that was found if it produced none."""

    status: IngestStatus
    revision: int


def changed_word(on_existing: OnExisting) -> IngestStatus:
    """Return the status of a record that changed a stored hospital."""
    return "replaced" if on_existing == "replace" else "merged"


def find_fate(
    stored: Mapping[str, Any],
    known: Known,
    on_existing: OnExisting,
    job_id: str,
    *,
    position: int = 0,
    repeats: bool = False,
    origin: str | None = None,
    unread: Set[str] = ALL_READ,
) -> Fate | None:
    """Return what became of a record.

    `position`, `repeats`, `origin` and `unread` are those of a row of a chunk (`worker.mongo.chunk_rows.Row`).
    `None` means that the record was neither applied, nor is there a reason why it should not be: the hospital has
    changed since the record was compared with it.
    """
    revision = int(stored["revision"])
    created_here = stored["created_by_job"] == job_id and not repeats
    if created_here or (origin is not None and stored.get("import") == origin):
        return Fate("created", 1)
    if (applied := applied_revision(stored, job_id, position)) is not None:
        return Fate(changed_word(on_existing), applied)
    if not content_differences(stored, known, whole=on_existing == "replace", unread=unread):
        return Fate("same", revision)
    reason = _reason(stored, known, on_existing)
    if reason is None and any(
        entry["job"] == job_id and entry["record"] > position for entry in stored.get("applied_jobs", ())
    ):
        # An earlier delivery applied a later row of the chunk, and found that this one would change nothing.
        reason = "same"
    return None if reason is None else Fate(reason, revision)


def _reason(stored: Mapping[str, Any], known: Known, on_existing: OnExisting) -> IngestStatus | None:
    """Return why a record that differs may not be applied, if there is a reason."""
    if is_conflict(stored, known):
        return "conflict"
    if stored["status"] == "registered":
        return "registered"
    observed_at, given_at = stored.get("observed_at"), known.get("observed_at")
    if observed_at is not None and given_at is not None and observed_at > given_at:
        return "newer_stored"
    return "kept" if on_existing == "keep" else None
