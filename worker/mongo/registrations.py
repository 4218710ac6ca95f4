"""The audited acts: each changes a hospital and writes a log entry in one transaction: both are stored, or neither.

An act that is rejected changes no hospital, and the attempt is logged by a single insert.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal, cast
from weakref import WeakValueDictionary

from pymongo.errors import DuplicateKeyError

from worker.contract import (
    AmendHospital,
    AmendmentOutcome,
    ConflictReason,
    HospitalRecord,
    RegisterHospital,
    RegistrationOutcome,
    WithdrawalOutcome,
    WithdrawHospital,
)
from worker.contract.known import known_fields
from worker.errors import KeyUsedTwice, OutageError
from worker.mongo.audit.log import AuditedAct, AuditEvent, append_entry, find_entry
from worker.mongo.client import Document, MongoHandle, Session
from worker.mongo.documents import (
    changed_hospital,
    contains_known,
    merged_hospital,
    new_hospital,
    now,
    split_changes,
)
from worker.mongo.errors import translated
from worker.mongo.transactions import run_transaction

# Only other processes compete for the next `seq` of a hospital's chain, so losing this many races in a row is not
# expected.
_APPEND_TRIES = 20
_REJECTED: dict[AuditEvent, AuditEvent] = {
    "registered": "registration_rejected",
    "amended": "amendment_rejected",
    "withdrawn": "withdrawal_rejected",
}

Request = RegisterHospital | AmendHospital | WithdrawHospital


@dataclass(frozen=True, slots=True)
class _Act:
    """A requested act, with its hospital, job and deadline (on the loop's clock, in seconds)."""

    request: Request
    event: AuditEvent
    hospital_id: str
    job_id: str
    deadline: float


@dataclass(frozen=True, slots=True)
class _Rejected:
    """The act was rejected because of the stored `hospital`; `None` if there was none."""

    hospital: Document | None


@dataclass(frozen=True, slots=True)
class _Logged:
    """The log entry of an act or rejected attempt, and the causal token of the write."""

    entry: Document
    token: str | None


class Registrations:
    """Registers, amends and withdraws hospitals over one shared client.

    Within a process, acts on one hospital run one after another, so at most one transaction per process competes
    for it. Otherwise fifty concurrent transactions would keep aborting each other.

    The methods raise the errors of `worker.mongo.errors`. `deadline` is on the loop's clock, in seconds.
    """

    def __init__(self, mongo: MongoHandle) -> None:
        self._mongo = mongo
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self, request: RegisterHospital, job_id: str, *, deadline: float) -> RegistrationOutcome:
        """Insert the hospital as registered, or promote the partial one and merge the record into it."""
        logged = await self._carry_out(_Act(request, "registered", request.record.hospital_id, job_id, deadline))
        registered = logged.entry["event"] == "registered"
        return RegistrationOutcome(
            status="registered" if registered else "conflict",
            reason=None if registered else "already_registered",
            hospital_id=request.record.hospital_id,
            revision=_revision(logged.entry["after"]),
            log_id=logged.entry["_id"],
            logged_at=logged.entry["at"],
            token=logged.token,
        )

    async def amend(self, request: AmendHospital, job_id: str, *, deadline: float) -> AmendmentOutcome:
        """Change a registered hospital."""
        logged = await self._carry_out(_Act(request, "amended", request.hospital_id, job_id, deadline))
        amended = logged.entry["event"] == "amended"
        status, reason = ("amended", None) if amended else _rejection(logged.entry["before"])
        return AmendmentOutcome(
            status=cast(Literal["amended", "conflict", "not_found"], status),
            reason=reason,
            hospital_id=request.hospital_id,
            revision=_revision(logged.entry["after"]),
            log_id=logged.entry["_id"],
            token=logged.token,
        )

    async def withdraw(self, request: WithdrawHospital, job_id: str, *, deadline: float) -> WithdrawalOutcome:
        """Remove a registered hospital; its last state stays in the log."""
        logged = await self._carry_out(_Act(request, "withdrawn", request.hospital_id, job_id, deadline))
        withdrawn = logged.entry["event"] == "withdrawn"
        status, reason = ("withdrawn", None) if withdrawn else _rejection(logged.entry["before"])
        return WithdrawalOutcome(
            status=cast(Literal["withdrawn", "conflict", "not_found"], status),
            reason=reason,
            hospital_id=request.hospital_id,
            revision=_revision(logged.entry["before"]),
            log_id=logged.entry["_id"],
            token=logged.token,
        )

    async def _carry_out(self, act: _Act) -> _Logged:
        runs = 0

        async def body(session: Session) -> Document | _Rejected:
            nonlocal runs
            runs += 1
            # A redelivered job is detected by the duplicate `_id` of its log entry, and the next run of this body
            # reads that entry. So a first delivery needs no read.
            if runs > 1 and (entry := await find_entry(self._mongo, act.job_id, session)) is not None:
                return _checked_entry(entry, act)
            before = await self._mongo.hospitals.find_one({"_id": act.hospital_id}, session=session)
            if _is_rejected(act.request, before):
                return _Rejected(before)
            after = _after(act, before)
            await self._store(act.hospital_id, before, after, session)
            return await self._append(act, act.event, before, after, session)

        lock = self._locks.setdefault(act.hospital_id, asyncio.Lock())
        await _acquire(lock, act.deadline)
        try:
            committed = await run_transaction(self._mongo, body, deadline=act.deadline)
            if isinstance(committed.value, _Rejected):
                return await self._log_rejection(act, committed.value.hospital)
            return _Logged(committed.value, committed.token)
        finally:
            lock.release()

    async def _store(
        self, hospital_id: str, before: Document | None, after: Document | None, session: Session
    ) -> None:
        if after is None:
            if before is not None:
                await self._mongo.memory.remember_removal(before, session)
            await self._mongo.hospitals.delete_one({"_id": hospital_id}, session=session)
        elif before is None:
            await self._mongo.hospitals.insert_one(after, session=session)
        else:
            await self._mongo.hospitals.replace_one({"_id": hospital_id}, after, session=session)

    async def _log_rejection(self, act: _Act, hospital: Document | None) -> _Logged:
        with translated():
            for tries_left in reversed(range(_APPEND_TRIES)):
                try:
                    entry = await self._append(act, _REJECTED[act.event], hospital, hospital)
                    return _Logged(entry, self._mongo.latest_token())
                except DuplicateKeyError:
                    # Either another delivery of this job wrote its entry, or another job took this `seq`.
                    if (found := await find_entry(self._mongo, act.job_id)) is not None:
                        return _Logged(_checked_entry(found, act), self._mongo.latest_token())
                    if not tries_left:
                        raise
        raise AssertionError("unreachable: the last try returns or raises")

    async def _append(
        self,
        act: _Act,
        event: AuditEvent,
        before: Document | None,
        after: Document | None,
        session: Session | None = None,
    ) -> Document:
        audited = AuditedAct(act.hospital_id, event, act.request.actor, act.request.reason, act.job_id)
        return await append_entry(self._mongo, audited, before=before, after=after, session=session)


async def _acquire(lock: asyncio.Lock, deadline: float) -> None:
    """Wait for the hospital's lock for half of the time until the deadline; the other half is for the act itself.

    Raises `OutageError` if the lock is not free by then: the acts before this one wait for MongoDB, so this job is
    not the cause.
    """
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(now + (deadline - now) / 2):
            await lock.acquire()
    except TimeoutError:
        raise OutageError(
            "timed out waiting for other acts on the same hospital: MongoDB is slow or unavailable"
        ) from None


def _checked_entry(entry: Document, act: _Act) -> Document:
    """Return the entry that the log has for this job id. Raises `KeyUsedTwice` if it is of a different act."""
    request = act.request
    requested = act.hospital_id, request.actor, request.reason
    logged = entry["hospital_id"], entry["actor"], entry["reason"]
    if requested != logged or not (entry["event"] == _REJECTED[act.event] or _fulfils(entry, act)):
        raise KeyUsedTwice(f"the log already has an entry {entry['_id']} of a different act")
    return entry


def _fulfils(entry: Document, act: _Act) -> bool:
    """Whether an entry that is not a rejection records what was requested."""
    if entry["event"] != act.event:
        return False
    if isinstance(act.request, RegisterHospital):
        return contains_known(entry["after"], known_fields(act.request.record))
    if act.request.revision not in (None, entry["before"]["revision"]):
        return False
    if isinstance(act.request, WithdrawHospital):
        return True
    values, cleared = split_changes(act.request.changes)
    return contains_known(entry["after"], values) and not any(name in entry["after"] for name in cleared)


def _is_rejected(request: Request, before: Document | None) -> bool:
    if isinstance(request, RegisterHospital):
        return before is not None and before["status"] == "registered"
    if before is None or before["status"] != "registered":
        return True
    return request.revision is not None and request.revision != before["revision"]


def _after(act: _Act, before: Document | None) -> Document | None:
    if isinstance(act.request, RegisterHospital):
        return _registered(act.request.record, before, act)
    if isinstance(act.request, AmendHospital) and before is not None:
        return changed_hospital(before, act.request.changes, at=now())
    return None


def _registered(record: HospitalRecord, before: Document | None, act: _Act) -> Document:
    known = known_fields(record)
    if before is None:
        return new_hospital(act.hospital_id, known, status="registered", job_id=act.job_id, at=now())
    return {**merged_hospital(before, known, at=now()), "status": "registered"}


def _rejection(hospital: Document | None) -> tuple[Literal["conflict", "not_found"], ConflictReason | None]:
    """Return why an amendment or withdrawal was rejected, derived from the hospital as it was at that time."""
    if hospital is None:
        return "not_found", None
    return "conflict", "revision" if hospital["status"] == "registered" else "not_registered"


def _revision(hospital: Document | None) -> int | None:
    return None if hospital is None else int(hospital["revision"])
