"""The rules that one audit chain must satisfy, and the comparison of its last state with the stored hospital.

Nothing here reads the database: `worker.mongo.audit.verification` does, and passes the entries in order.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from worker.mongo.audit.log import AuditEvent, entry_hash
from worker.mongo.client import Document

ChainProblem = Literal[
    "malformed",
    "wrong_seq",
    "wrong_prev_hash",
    "wrong_hash",
    "head_rewritten",
    "head_missing",
    "unlogged",
    "state_differs",
    "not_registered",
]

_FIELDS = frozenset(
    {
        "_id",
        "hospital_id",
        "seq",
        "event",
        "actor",
        "reason",
        "before",
        "after",
        "at",
        "job_id",
        "prev_hash",
        "hash",
    }
)
_EVENTS = frozenset(get_args(AuditEvent))
_ACCEPTED = frozenset({"registered", "amended", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain as it was when the head was exported; the chain must still contain it."""

    hospital_id: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Reference:
    """What a chain is checked against: the registered hospital without `applied_jobs`, and an exported head.

    Either is `None` if there is none.
    """

    hospital_id: str
    hospital: Document | None = None
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The problem found for one hospital: its first bad entry, or a difference between the hospital and its log.

    `seq` and `log_id` identify the entry; they are `None` if there is none. `detail` describes the problem to a
    reader.
    """

    hospital_id: str
    problem: ChainProblem
    seq: int | None
    log_id: str | None
    detail: str


def malformed(entry: Document) -> Finding:
    """Return the finding for an entry that lacks the fields and types of a log entry."""
    return _finding(entry, "malformed", "the entry does not have the fields and types of a log entry")


class Chain:
    """Checks one hospital's chain while its entries are read, starting with the first, or after `last`."""

    def __init__(self, reference: Reference, last: Document | None = None) -> None:
        self.reference = reference
        self._last = last
        self._accepted: Document | None = None
        self.finding: Finding | None = None

    def take(self, entry: Document) -> None:
        """Check the next entry. Entries after the first bad one are skipped: nothing proves them right or wrong."""
        if self.finding is not None:
            return
        self.finding = self._check_entry(entry)
        self._last = entry
        if entry.get("event") in _ACCEPTED:
            self._accepted = entry

    def end(self) -> Finding | None:
        """Return the finding, if any, after the last entry was taken."""
        if self.finding is not None:
            return self.finding
        length = self._last["seq"] if self._last else 0
        head = self.reference.head
        if head is not None and length < head.seq:
            detail = f"the chain ends at seq {length} but had reached {head.seq}: entries were removed from its end"
            return Finding(self.reference.hospital_id, "head_missing", head.seq, None, detail)
        return self._compare(self._accepted, self.reference.hospital)

    def _check_entry(self, entry: Document) -> Finding | None:
        if not _is_entry(entry):
            return malformed(entry)
        expected_seq = self._last["seq"] + 1 if self._last else 1
        if entry["seq"] != expected_seq:
            return _finding(entry, "wrong_seq", f"seq is {entry['seq']} where {expected_seq} was expected")
        if entry["prev_hash"] != (self._last["hash"] if self._last else None):
            return _finding(entry, "wrong_prev_hash", "prev_hash is not the hash of the previous entry")
        return self._check_hash(entry)

    def _check_hash(self, entry: Document) -> Finding | None:
        try:
            content_hash = entry_hash(entry)
        except (TypeError, ValueError):
            return malformed(entry)
        if entry["hash"] != content_hash:
            return _finding(entry, "wrong_hash", "hash does not match the entry's content")
        head = self.reference.head
        if head is not None and entry["seq"] == head.seq and entry["hash"] != head.hash:
            return _finding(entry, "head_rewritten", "hash differs from the exported head of the chain")
        return None

    def _compare(self, accepted: Document | None, hospital: Document | None) -> Finding | None:
        """Compare the hospital with the last entry that changed it; a rejected attempt may show an older state."""
        logged = accepted["after"] if accepted else None
        if accepted is None or logged is None:
            if hospital is None:
                return None
            detail = "the hospital is registered, but its log does not say so"
            return Finding(self.reference.hospital_id, "unlogged", None, None, detail)
        if hospital is None:
            detail = "the log says that the hospital is registered, but it is not"
            return _finding(accepted, "not_registered", detail)
        # Compared by hash: in Python True, 1 and 1.0 are equal.
        if not _same(logged, hospital):
            names = (
                name for name in sorted({*logged, *hospital}) if not _same(logged.get(name), hospital.get(name))
            )
            return _finding(accepted, "state_differs", f"the hospital differs from its log in: {', '.join(names)}")
        return None


def check_entry(entry: Document, previous: Document | None) -> Finding | None:
    """Return the problem of one entry, given the one before it; `None` if it has none.

    This says nothing about the rest of the chain.
    """
    if previous is not None and not _is_entry(previous):
        return malformed(previous)
    chain = Chain(Reference(str(entry.get("hospital_id"))), previous)
    chain.take(entry)
    return chain.finding


def _is_entry(entry: Document) -> bool:
    return (
        entry.keys() == _FIELDS
        and entry["event"] in _EVENTS
        and isinstance(entry["seq"], int)
        and isinstance(entry["after"], dict | None)
    )


def _same(one: Any, other: Any) -> bool:
    try:
        return entry_hash({"value": one}) == entry_hash({"value": other})
    except (TypeError, ValueError):
        return False


def _finding(entry: Document, problem: ChainProblem, detail: str) -> Finding:
    seq = entry.get("seq")
    return Finding(
        str(entry.get("hospital_id")), problem, seq if isinstance(seq, int) else None, str(entry.get("_id")), detail
    )
