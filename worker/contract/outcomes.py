"""The outcome of each job, the statuses and conflict reasons in them, and `Rejection`.

An outcome describes the hospital as it is now, so a job that is delivered twice returns the same outcome twice.
Only its causal `token` belongs to one delivery.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from worker.contract.deferred import Deferred


class Outcome(Deferred):
    """What all outcomes have in common."""

    # Newer workers may add fields that an older reader does not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    token: str | None = None
    """Pass it to `HospitalReader` in any process: the read then sees this write, on any replica set member."""


class HospitalOutcome(Outcome):
    """The fields of every outcome about one hospital.

    `revision` is the revision that this job wrote, or the one that it found if it wrote nothing.
    """

    hospital_id: str
    revision: int | None = None


IngestStatus = Literal["created", "merged", "replaced", "same", "kept", "newer_stored", "registered", "conflict"]
RecordStatus = Literal[IngestStatus, "collision", "rejected"]
"""What became of one record. An outcome has exactly one for each record.

| status | meaning |
|---|---|
| `created` | the hospital was absent and is stored now |
| `merged`, `replaced` | the stored hospital was changed, as `on_existing` says |
| `same` | everything that the record knows is stored already |
| `kept` | the stored hospital differs and was not changed, because `on_existing` is `keep` |
| `newer_stored` | the stored hospital differs and was observed later |
| `registered` | the stored hospital differs and is registered: amend it |
| `collision` | another row of this import has the identity, with another name or place: not applied |
| `conflict` | the identity is stored with another name and another place: not applied |
| `rejected` | the record is invalid, or MongoDB refused it |
"""

# Readers before `fate` know these words only, and require one of them.
_OLD_WORDS: Mapping[str, str] = {"created": "created", "merged": "merged", "replaced": "merged"}
# A reader of these keeps what is rejected in a file, with its reason.
_OLD_WORDS_OF_CHUNKS = {**_OLD_WORDS, **dict.fromkeys(("collision", "conflict", "rejected"), "rejected")}
_OLD_REASONS: Mapping[str, str] = {status: status for status in ("kept", "same", "newer_stored", "registered")}

Value = str | int | float | bool | None


class Difference(Deferred):
    """A field that differs, such as `city` or `attributes.rating`.

    `stored` is the value of the stored hospital, or after a collision that of the row that has the identity;
    `given` is the value of the record. `None` means that the value is not known. Coordinates are
    `latitude,longitude`. Long texts are cut, and end in `…` then.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    field: str
    stored: Value = None
    given: Value = None


class IngestOutcome(HospitalOutcome):
    """`status` says what became of the record.

    `differences` names what differs from the stored hospital if the record was not applied (`kept`, `newer_stored`,
    `registered`, `conflict`).

    On the wire the status is `fate`; `status` and `reason` repeat it in the words that earlier versions know.
    """

    status: IngestStatus
    differences: list[Difference] = []

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {name: value for name, value in data.items() if name not in ("fate", "reason")}
        if "fate" in data:
            known["status"] = data["fate"]
        elif data.get("status") == "unchanged":
            # An earlier worker's. Without a reason it is not known whether the record differs.
            known["status"] = data.get("reason") or "kept"
        return known

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        old = _OLD_WORDS.get(self.status, "unchanged")
        reason = _OLD_REASONS.get(self.status, "kept") if old == "unchanged" else None
        return {**written, "status": old, "reason": reason, "fate": self.status}


class Rejection(Deferred):
    """A record of a chunk that is invalid, refused, in collision or in conflict: its position, counted from 0, and
    a problem for each invalid field, or the one reason.
    """

    index: int
    problems: list[str]


class NotApplied(Deferred):
    """A valid record of a chunk that differs and was not applied: `kept`, `newer_stored`, `registered`, `collision`
    or `conflict`.

    `index` is its position in the chunk, counted from 0, and `line` its line, if the payload has lines.
    `hospital_id` is its identity, cut if it is long. `other_index` is the record of the same chunk and `other_line`
    the line that has the identity: they are given for a collision, as far as they are known.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    hospital_id: str
    line: int | None = None
    other_index: int | None = None
    other_line: int | None = None
    differences: list[Difference] = []


class ChunkOutcome(Outcome):
    """`statuses` has one entry per record, in the order of the chunk.

    `rejections` explains records that are rejected, in collision or in conflict. `not_applied` has the values that
    differ. If there are too many for one outcome, the last ones are left out and `shortened` is set.

    On the wire the statuses are `fates`; `statuses` repeats them in the words that earlier versions know.
    """

    statuses: list[RecordStatus]
    rejections: list[Rejection] = []
    not_applied: list[NotApplied] = []
    shortened: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {name: value for name, value in data.items() if name != "fates"}
        if "fates" in data:
            known["statuses"] = data["fates"]
        elif isinstance(statuses := data.get("statuses"), list):
            # An earlier worker's "unchanged" does not say whether the record differs.
            known["statuses"] = ["kept" if status == "unchanged" else status for status in statuses]
        return known

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        old = [_OLD_WORDS_OF_CHUNKS.get(status, "unchanged") for status in self.statuses]
        return {**written, "statuses": old, "fates": self.statuses}

    def count(self, status: RecordStatus) -> int:
        """Return how many records ended with `status`."""
        return self.statuses.count(status)


ConflictReason = Literal["already_registered", "registered", "not_registered", "revision"]


class CorrectionOutcome(HospitalOutcome):
    """`conflict` has the reason `registered` (amend the hospital instead) or `revision` (it has changed since)."""

    status: Literal["corrected", "conflict", "not_found"]
    reason: ConflictReason | None = None


class DiscardOutcome(HospitalOutcome):
    """`discarded`: the hospital with that revision no longer exists."""

    status: Literal["discarded", "conflict"]
    reason: ConflictReason | None = None


class RegistrationOutcome(HospitalOutcome):
    """`log_id` is the id of the log entry: of the registration, or of the rejected attempt.

    `logged_at` is when that was written: long ago, if the job was enqueued again under its idempotency key. Workers
    of earlier versions do not say.
    """

    status: Literal["registered", "conflict"]
    reason: ConflictReason | None = None
    log_id: str
    logged_at: datetime | None = None


class AmendmentOutcome(HospitalOutcome):
    """`log_id` is the id of the log entry: of the amendment, or of the rejected attempt."""

    status: Literal["amended", "conflict", "not_found"]
    reason: ConflictReason | None = None
    log_id: str


class WithdrawalOutcome(HospitalOutcome):
    """`log_id` is the id of the log entry: of the withdrawal, or of the rejected attempt."""

    status: Literal["withdrawn", "conflict", "not_found"]
    reason: ConflictReason | None = None
    log_id: str
