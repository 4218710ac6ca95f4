"""The audited acts: each changes a hospital and writes its log entry in one transaction, or neither.

An act that cannot be done changes nothing, and its attempt is logged by a single insert.
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
from worker.errors import KeyUsedTwice, OutageError
from worker.mongo.audit.log import AuditedAct, AuditEvent, append_entry, find_entry
from worker.mongo.client import Document, MongoHandle, Session
from worker.mongo.documents import (
    changed_hospital,
    known_fields,
    merged_hospital,
    new_hospital,
    now,
    split_changes,
    tells_of,
)
from worker.mongo.errors import translated
from worker.mongo.transactions import run_transaction

# Only other processes compete for the next place in a hospital's chain, so this many races are not lost in a row.
_APPEND_TRIES = 20
_REJECTED: dict[AuditEvent, AuditEvent] = {
    "registered": "registration_rejected",
    "amended": "amendment_rejected",
    "withdrawn": "withdrawal_rejected",
}

Order = RegisterHospital | AmendHospital | WithdrawHospital


@dataclass(frozen=True, slots=True)
class _Act:
    """An order as it is carried out: by which job, on which hospital, until when (of the loop's clock)."""

    order: Order
    event: AuditEvent
    hospital_id: str
    job_id: str
    deadline: float


@dataclass(frozen=True, slots=True)
class _Met:
    """The hospital that an act was refused for, as it was met; `None` if there was none."""

    hospital: Document | None


@dataclass(frozen=True, slots=True)
class _Done:
    """The entry that an act left, and the token of the write."""

    entry: Document
    token: str | None


class Registrations:
    """Registers, amends and withdraws hospitals over one shared client.

    Acts on one hospital take turns within the process, so that at most one transaction of each process
    competes for it: fifty at once would else abort each other over and over.

    The methods raise the errors of `worker.mongo.errors`. `deadline` is of the loop's clock.
    """

    def __init__(self, mongo: MongoHandle) -> None:
        self._mongo = mongo
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self, order: RegisterHospital, job_id: str, *, deadline: float) -> RegistrationOutcome:
        """Insert the hospital as registered, or promote the partial one and put in what the record knows."""
        done = await self._carry_out(_Act(order, "registered", order.record.hospital_id, job_id, deadline))
        registered = done.entry["event"] == "registered"
        return RegistrationOutcome(
            status="registered" if registered else "conflict",
            reason=None if registered else "already_registered",
            hospital_id=order.record.hospital_id,
            revision=_revision(done.entry["after"]),
            log_id=done.entry["_id"],
            token=done.token,
        )

    async def amend(self, order: AmendHospital, job_id: str, *, deadline: float) -> AmendmentOutcome:
        """Change a registered hospital."""
        done = await self._carry_out(_Act(order, "amended", order.hospital_id, job_id, deadline))
        amended = done.entry["event"] == "amended"
        status, reason = ("amended", None) if amended else _refusal(done.entry["before"])
        return AmendmentOutcome(
            status=cast(Literal["amended", "conflict", "not_found"], status),
            reason=reason,
            hospital_id=order.hospital_id,
            revision=_revision(done.entry["after"]),
            log_id=done.entry["_id"],
            token=done.token,
        )

    async def withdraw(self, order: WithdrawHospital, job_id: str, *, deadline: float) -> WithdrawalOutcome:
        """Remove a registered hospital; its last state stays in the log."""
        done = await self._carry_out(_Act(order, "withdrawn", order.hospital_id, job_id, deadline))
        withdrawn = done.entry["event"] == "withdrawn"
        status, reason = ("withdrawn", None) if withdrawn else _refusal(done.entry["before"])
        return WithdrawalOutcome(
            status=cast(Literal["withdrawn", "conflict", "not_found"], status),
            reason=reason,
            hospital_id=order.hospital_id,
            revision=_revision(done.entry["before"]),
            log_id=done.entry["_id"],
            token=done.token,
        )

    async def _carry_out(self, act: _Act) -> _Done:
        runs = 0

        async def body(session: Session) -> Document | _Met:
            nonlocal runs
            runs += 1
            # A job delivered again is found out by its log entry's `_id`, which is refused the second time: that
            # spares every first delivery a read. What the insert was refused for is seen in the next run.
            if runs > 1 and (entry := await find_entry(self._mongo, act.job_id, session)) is not None:
                return _of_this_act(entry, act)
            before = await self._mongo.hospitals.find_one({"_id": act.hospital_id}, session=session)
            if _is_refused(act.order, before):
                return _Met(before)
            after = _after(act, before)
            await self._store(act.hospital_id, before, after, session)
            return await self._append(act, act.event, before, after, session)

        turn = self._turns.setdefault(act.hospital_id, asyncio.Lock())
        await _take(turn, act.deadline)
        try:
            committed = await run_transaction(self._mongo, body, deadline=act.deadline)
            if isinstance(committed.value, _Met):
                return await self._log_refusal(act, committed.value.hospital)
            return _Done(committed.value, committed.token)
        finally:
            turn.release()

    async def _store(
        self, hospital_id: str, before: Document | None, after: Document | None, session: Session
    ) -> None:
        if after is None:
            await self._mongo.hospitals.delete_one({"_id": hospital_id}, session=session)
        elif before is None:
            await self._mongo.hospitals.insert_one(after, session=session)
        else:
            await self._mongo.hospitals.replace_one({"_id": hospital_id}, after, session=session)

    async def _log_refusal(self, act: _Act, met: Document | None) -> _Done:
        with translated():
            for tries_left in reversed(range(_APPEND_TRIES)):
                try:
                    entry = await self._append(act, _REJECTED[act.event], met, met)
                    return _Done(entry, self._mongo.latest_token())
                except DuplicateKeyError:
                    # Either this job was delivered twice at once, or another got that place in the chain.
                    if (found := await find_entry(self._mongo, act.job_id)) is not None:
                        return _Done(_of_this_act(found, act), self._mongo.latest_token())
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
        logged = AuditedAct(act.hospital_id, event, act.order.actor, act.order.reason, act.job_id)
        return await append_entry(self._mongo, logged, before=before, after=after, session=session)


async def _take(turn: asyncio.Lock, deadline: float) -> None:
    """Wait for a turn for half of the time until the deadline: the other half is for the act itself.

    Raises `OutageError` if it does not come: those before this one are held up by MongoDB, and it is not to blame.
    """
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(now + (deadline - now) / 2):
            await turn.acquire()
    except TimeoutError:
        raise OutageError("other acts on the same hospital are held up: MongoDB is slow or away") from None


def _of_this_act(entry: Document, act: _Act) -> Document:
    """Return the entry that this job's id has in the log, if it is of this very act."""
    order = act.order
    asked = act.hospital_id, order.actor, order.reason
    logged = entry["hospital_id"], entry["actor"], entry["reason"]
    if asked != logged or not (entry["event"] == _REJECTED[act.event] or _has_done(entry, act)):
        raise KeyUsedTwice(f"the log has an entry {entry['_id']} of another act already")
    return entry


def _has_done(entry: Document, act: _Act) -> bool:
    """Whether an entry that is no rejection tells of what the order asks for."""
    if entry["event"] != act.event:
        return False
    if isinstance(act.order, RegisterHospital):
        return tells_of(entry["after"], known_fields(act.order.record))
    if act.order.revision not in (None, entry["before"]["revision"]):
        return False
    if isinstance(act.order, WithdrawHospital):
        return True
    values, cleared = split_changes(act.order.changes)
    return tells_of(entry["after"], values) and not any(name in entry["after"] for name in cleared)


def _is_refused(order: Order, before: Document | None) -> bool:
    if isinstance(order, RegisterHospital):
        return before is not None and before["status"] == "registered"
    if before is None or before["status"] != "registered":
        return True
    return order.revision is not None and order.revision != before["revision"]


def _after(act: _Act, before: Document | None) -> Document | None:
    if isinstance(act.order, RegisterHospital):
        return _registered(act.order.record, before, act)
    if isinstance(act.order, AmendHospital) and before is not None:
        return changed_hospital(before, act.order.changes, at=now())
    return None


def _registered(record: HospitalRecord, before: Document | None, act: _Act) -> Document:
    known = known_fields(record)
    if before is None:
        return new_hospital(act.hospital_id, known, status="registered", job_id=act.job_id, at=now())
    return {**merged_hospital(before, known, at=now()), "status": "registered"}


def _refusal(met: Document | None) -> tuple[Literal["conflict", "not_found"], ConflictReason | None]:
    """Return why an amendment or withdrawal was refused, as told by the hospital that it met."""
    if met is None:
        return "not_found", None
    return "conflict", "revision" if met["status"] == "registered" else "not_registered"


def _revision(hospital: Document | None) -> int | None:
    return None if hospital is None else int(hospital["revision"])
