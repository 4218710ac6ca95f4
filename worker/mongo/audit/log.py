"""Builds and hashes entries of the audit log, and appends them to a hospital's chain.

The entries of one hospital form a chain: `seq` counts from 1, and `prev_hash` is the `hash` of the previous
entry (null for the first). `hash` is the SHA-256, in lower-case hexadecimal, of the canonical form of the entry
without `hash`. The canonical form is JSON in ASCII (other characters are escaped), with keys sorted by code point
and no white space. An integer has no point. A float is the shortest text that reads back as the same float, and
always has a point or an exponent. An instant is `{"$date": milliseconds since 1970}`. An entry that is stored as
BSON and read back has the same canonical form.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from worker.mongo.audit.canonical_form import canonical
from worker.mongo.client import Document, MongoHandle, Session
from worker.mongo.documents import now

AuditEvent = Literal[
    "registered",
    "amended",
    "withdrawn",
    "registration_rejected",
    "amendment_rejected",
    "withdrawal_rejected",
]


@dataclass(frozen=True, slots=True)
class AuditedAct:
    """The content of an entry besides the hospital's states: the act or rejected attempt, actor, reason and job."""

    hospital_id: str
    event: AuditEvent
    actor: str
    reason: str
    job_id: str


def log_id(job_id: str) -> str:
    """Return the `_id` of the one entry that a job writes, however often it is delivered."""
    return f"audit:{job_id}"


def entry_hash(entry: Document) -> str:
    """Return the hash of an entry; the field `hash`, if present, is left out."""
    content = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def as_logged(hospital: Document | None) -> Document | None:
    """Return the hospital as an entry stores it: without `applied_jobs`, which serves deduplication only."""
    if hospital is None:
        return None
    return {name: value for name, value in hospital.items() if name != "applied_jobs"}


async def find_entry(mongo: MongoHandle, job_id: str, session: Session | None = None) -> Document | None:
    """Return the entry that a job has written; `None` if it has not."""
    return await mongo.logs.find_one({"_id": log_id(job_id)}, session=session)


async def append_entry(
    mongo: MongoHandle,
    act: AuditedAct,
    *,
    before: Document | None,
    after: Document | None,
    session: Session | None = None,
) -> Document:
    """Append an entry to the hospital's chain and return it.

    Raises the driver's `DuplicateKeyError` if another entry took this `seq`, or if this job already has an entry.
    """
    last = await mongo.logs.find_one(
        {"hospital_id": act.hospital_id}, {"seq": True, "hash": True}, sort=[("seq", -1)], session=session
    )
    entry: Document = {
        "_id": log_id(act.job_id),
        "hospital_id": act.hospital_id,
        "seq": last["seq"] + 1 if last else 1,
        "event": act.event,
        "actor": act.actor,
        "reason": act.reason,
        "before": as_logged(before),
        "after": as_logged(after),
        "at": now(),
        "job_id": act.job_id,
        "prev_hash": last["hash"] if last else None,
    }
    entry["hash"] = entry_hash(entry)
    await mongo.logs.insert_one(entry, session=session)
    return entry
