"""What makes one chain of the audit log whole, and the hospital at its end the one that was logged.

Nothing here reads the database: `worker.mongo.audit.verification` does, and brings the entries in their order.
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
    """The last entry of a chain as it was at some time: what the chain must still hold."""

    hospital_id: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Reference:
    """What a chain must account for: the registered hospital without `applied_jobs`, an exported head."""

    hospital_id: str
    hospital: Document | None = None
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one hospital: its first bad entry, or how the hospital itself is not as logged.

    `seq` and `log_id` name the entry; they are `None` where there is none. `detail` is a sentence for a person.
    """

    hospital_id: str
    problem: ChainProblem
    seq: int | None
    log_id: str | None
    detail: str


def malformed(entry: Document) -> Finding:
    """Return the finding that an entry does not have the fields and types of one."""
    return _of_entry(entry, "malformed", "the entry does not have the fields and types of a log entry")


class Chain:
    """One hospital's chain while it is read, from its first entry on."""

    def __init__(self, expected: Reference) -> None:
        self.expected = expected
        self._last: Document | None = None
        self._accepted: Document | None = None
        self._finding: Finding | None = None

    def take(self, entry: Document) -> None:
        """Look at the next entry. Those behind the first bad one are not looked at: nothing vouches for them."""
        if self._finding is not None:
            return
        self._finding = self._look_at(entry)
        self._last = entry
        if entry.get("event") in _ACCEPTED:
            self._accepted = entry

    def end(self) -> Finding | None:
        """Return what is wrong, if anything, once all entries were taken."""
        if self._finding is not None:
            return self._finding
        length = self._last["seq"] if self._last else 0
        head = self.expected.head
        if head is not None and length < head.seq:
            detail = f"the chain ends at seq {length}, and reached {head.seq} before: entries are gone from its end"
            return Finding(self.expected.hospital_id, "head_missing", head.seq, None, detail)
        return self._compare(self._accepted, self.expected.hospital)

    def _look_at(self, entry: Document) -> Finding | None:
        if not _is_entry(entry):
            return malformed(entry)
        expected = self._last["seq"] + 1 if self._last else 1
        if entry["seq"] != expected:
            return _of_entry(entry, "wrong_seq", f"seq is {entry['seq']} where {expected} was expected")
        if entry["prev_hash"] != (self._last["hash"] if self._last else None):
            return _of_entry(entry, "wrong_prev_hash", "prev_hash is not the hash of the entry before")
        return self._check_hash(entry)

    def _check_hash(self, entry: Document) -> Finding | None:
        try:
            content_hash = entry_hash(entry)
        except (TypeError, ValueError):
            return malformed(entry)
        if entry["hash"] != content_hash:
            return _of_entry(entry, "wrong_hash", "hash is not that of the entry's content")
        head = self.expected.head
        if head is not None and entry["seq"] == head.seq and entry["hash"] != head.hash:
            return _of_entry(entry, "head_rewritten", "hash is another than when the chain's head was exported")
        return None

    def _compare(self, accepted: Document | None, hospital: Document | None) -> Finding | None:
        """Compare with the last entry that changed the hospital; a refused attempt may show an older state."""
        logged = accepted["after"] if accepted else None
        if accepted is None or logged is None:
            if hospital is None:
                return None
            detail = "the hospital is registered, and its log does not say so"
            return Finding(self.expected.hospital_id, "unlogged", None, None, detail)
        if hospital is None:
            detail = "the hospital was last logged as registered, and is not"
            return _of_entry(accepted, "not_registered", detail)
        # As hashed: to Python True, 1 and 1.0 are the same.
        if not _same(logged, hospital):
            names = (
                name for name in sorted({*logged, *hospital}) if not _same(logged.get(name), hospital.get(name))
            )
            return _of_entry(accepted, "state_differs", f"the hospital is not as last logged: {', '.join(names)}")
        return None


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


def _of_entry(entry: Document, problem: ChainProblem, detail: str) -> Finding:
    seq = entry.get("seq")
    return Finding(
        str(entry.get("hospital_id")), problem, seq if isinstance(seq, int) else None, str(entry.get("_id")), detail
    )
