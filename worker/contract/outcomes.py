"""The outcome of each job, the statuses and conflict reasons in them, and `Rejection`.

An outcome describes the hospital as it is now, so a job that is delivered twice returns the same outcome twice.
Only its causal `token` belongs to one delivery.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Outcome(BaseModel):
    # Newer workers may add fields that an older reader does not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    token: str | None = None
    """Pass it to `HospitalReader` in any process: the read then sees this write, on any replica set member."""


class HospitalOutcome(_Outcome):
    """The fields of every outcome about one hospital.

    `revision` is the revision that this job wrote, or the one that it found if it wrote nothing.
    """

    hospital_id: str
    revision: int | None = None


class IngestOutcome(HospitalOutcome):
    """`reason` says why nothing was changed: `kept` (`on_existing` is `keep`), `same`, `newer_stored` or
    `registered`.
    """

    status: Literal["created", "merged", "unchanged"]
    reason: Literal["kept", "same", "newer_stored", "registered"] | None = None


class Rejection(BaseModel):
    """One rejected record of a chunk: its position, counted from 0, and a problem for each invalid field."""

    index: int
    problems: list[str]


RecordStatus = Literal["created", "merged", "unchanged", "rejected"]


class ChunkOutcome(_Outcome):
    """`statuses` has one entry per record, in the order of the chunk; `rejections` explains rejected records."""

    statuses: list[RecordStatus]
    rejections: list[Rejection] = []

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
    """`log_id` is the id of the log entry: of the registration, or of the rejected attempt."""

    status: Literal["registered", "conflict"]
    reason: ConflictReason | None = None
    log_id: str


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
