"""The updates that ingest a record: each inserts an absent hospital, or merges into or replaces a stored one.

An update decides at the server, so that no other job can come between the decision and the change. It leaves alone
what it may not change: a registered hospital, one that was observed later, what this job has changed before, and a
hospital that is not the one the caller has compared the record with (`expected`).

Every value from outside is wrapped in `$literal`; otherwise MongoDB would read "$name" as a field reference.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.contract.comparison import ALL_READ, DISTINGUISHING_FIELDS
from worker.contract.known import Known
from worker.contract.payloads import HospitalFields
from worker.mongo.client import Document
from worker.mongo.documents import applied_entry, new_hospital

# A replacement keeps what identifies the hospital and when it was observed, even if the record does not know it.
_REPLACED_FIELDS = tuple(HospitalFields.model_fields)
_ATTRIBUTE = "attributes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """One record to ingest: `known` has its fields as stored, `position` is its position in its chunk (or 0).

    `repeats` means that an earlier record of the same chunk is of this hospital too. Then a hospital that this job
    created does not prove that this record was applied. `row` is the row of an import that the record is. `unread`
    are fields that a replacement leaves as they are, because the source's values could not be read.
    """

    hospital_id: str
    known: Known
    job_id: str
    at: datetime
    position: int = 0
    repeats: bool = False
    row: str | None = None
    unread: Set[str] = ALL_READ


def expected_name(name: str) -> Document:
    """Return the condition that the stored hospital has this name, so that the record cannot be in conflict."""
    return {"$eq": ["$hospital_name", {"$literal": name}]}


def expected_hospital(seen: Mapping[str, Any]) -> Document:
    """Return the condition that name and place of the stored hospital are what the caller has seen."""
    # In an array a missing field is null, and no stored field is null.
    fields = [f"${field}" for field in DISTINGUISHING_FIELDS]
    return {"$eq": [fields, {"$literal": [seen.get(field) for field in DISTINGUISHING_FIELDS]}]}


def ingest_pipeline(ingest: Ingest, *, whole: bool = False, expected: Document | None = None) -> list[Document]:
    """Return the update that inserts an absent hospital, or merges the record into a partial one.

    With `whole` the record takes the place of the whole content. A stored hospital that does not meet the condition
    `expected` is left alone.
    """
    observed_at = ingest.known.get("observed_at")
    left_alone: list[Document] = [
        {"$eq": ["$status", "registered"]},
        _was_applied(ingest.job_id, ingest.position),
    ]
    if not ingest.repeats:
        left_alone.append({"$eq": ["$created_by_job", {"$literal": ingest.job_id}]})
    if observed_at is not None:
        # A missing field sorts below every date.
        left_alone.append({"$gt": ["$observed_at", observed_at]})
    if expected is not None:
        left_alone.append({"$not": [expected]})
    new_content = _replaced(ingest.known, ingest.unread) if whole else _merged(ingest.known)
    timeless = {"$unsetField": {"field": "observed_at", "input": "$$content"}}
    same = {"$eq": [timeless, {"$unsetField": {"field": "observed_at", "input": "$$ROOT"}}]}
    revision = {"$add": ["$revision", 1]}
    changed = {
        "$mergeObjects": [
            "$$content",
            {
                "revision": revision,
                "updated_at": ingest.at,
                "applied_jobs": {
                    "$concatArrays": [
                        {"$ifNull": ["$applied_jobs", []]},
                        [applied_entry({"$literal": ingest.job_id}, ingest.position, revision)],
                    ]
                },
            },
        ]
    }
    created = new_hospital(
        ingest.hospital_id,
        ingest.known,
        status="partial",
        job_id=ingest.job_id,
        at=ingest.at,
        row=ingest.row,
    )
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
                        "$let": {"vars": {"content": new_content}, "in": {"$cond": [same, "$$content", changed]}}
                    },
                }
            }
        }
    ]


def _merged(known: Known) -> Document:
    merged: list[Document | str] = ["$$ROOT", {"$literal": known}]
    if "attributes" in known:
        merged.append({"attributes": {"$mergeObjects": ["$attributes", {"$literal": known["attributes"]}]}})
    return {"$mergeObjects": merged}


def _replaced(known: Known, unread: Set[str]) -> Document:
    # Fields and attributes that stay keep their order: for MongoDB a document in another order is another document.
    content = dict(known) if "hospital_type" in unread else {"hospital_type": "single", **known}
    parts: list[Document | str] = ["$$ROOT", {"$literal": content}]
    attributes = _replaced_attributes(known.get("attributes", {}), unread)
    if attributes is not None:
        parts.append({"attributes": attributes})
    stays = {*content, *unread} | ({"attributes"} if attributes is not None else set())
    removed = [field for field in _REPLACED_FIELDS if field not in stays]
    replaced = _filtered({"$mergeObjects": parts}, {"$not": [{"$in": ["$$this.k", removed]}]})
    if attributes is None or "attributes" in known:
        return replaced
    return _filtered(replaced, {"$ne": ["$$this", {"$literal": {"k": "attributes", "v": {}}}]})


def _replaced_attributes(known: Known, unread: Set[str]) -> Document | None:
    """Return the attributes of a replaced hospital; `None` if it gets none."""
    stay = [name.removeprefix(_ATTRIBUTE) for name in sorted(unread) if name.startswith(_ATTRIBUTE)]
    stored: Document = {"$ifNull": ["$attributes", {}]}
    if "attributes" not in unread:
        if not known and not stay:
            return None
        stored = _filtered(stored, {"$in": ["$$this.k", {"$literal": [*known, *stay]}]})
    return {"$mergeObjects": [stored, {"$literal": known}]}


def _filtered(document: Document, condition: Document) -> Document:
    return {"$arrayToObject": {"$filter": {"input": {"$objectToArray": document}, "as": "this", "cond": condition}}}


def _was_applied(job_id: str, position: int) -> Document:
    # Records of a chunk are applied in order, so an entry of a later record shows that this one was applied too.
    # This record may have no entry of its own: it changed nothing if the same values were stored already.
    own = {"$eq": ["$$this.job", {"$literal": job_id}]}
    matching = {"$and": [own, {"$gte": ["$$this.record", position]}]}
    entries = {"$ifNull": ["$applied_jobs", []]}
    return {"$anyElementTrue": [{"$map": {"input": entries, "in": matching}}]}
