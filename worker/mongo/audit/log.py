"""The audit log: how an entry is made and hashed, and how it is appended to a hospital's chain.

The entries of one hospital form a chain: `seq` counts from 1, and `prev_hash` is the `hash` of the entry
before (null for the first). `hash` is the SHA-256, in lower-case hexadecimal, of the entry's canonical form
without `hash`: JSON in ASCII (all else escaped), keys sorted by code point, no white space; an integer without a
point, a float as the shortest text that reads back the same and always with a point or an exponent, an instant
as `{"$date": milliseconds since 1970}`. All of it survives being stored as BSON and read back.
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
    """What an entry tells besides the hospital's states: what was done or refused, by whom, why, by which job."""

    hospital_id: str
    event: AuditEvent
    actor: str
    reason: str
    job_id: str


def log_id(job_id: str) -> str:
    """Return the `_id` of the one entry that a job writes, however often it is delivered."""
    return f"audit:{job_id}"


def entry_hash(entry: Document) -> str:
    """Return the hash of an entry; its own `hash`, if it has one, is left out."""
    content = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def as_logged(hospital: Document | None) -> Document | None:
    """Return what an entry keeps of a hospital: all but the service's own memory of applied jobs."""
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
    """Add an entry to the end of the hospital's chain and return it.

    Raises the driver's `DuplicateKeyError` if another got that place in the chain, or this job has its entry.
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
