"""The outcome of each job, the statuses and conflict reasons in them, and `Rejection`.

An outcome says what is true of the hospital now, so a job that is delivered twice returns the same outcome twice.
Only its causal `token` belongs to one delivery.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Outcome(BaseModel):
    # Newer workers may add fields that an older reader does not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    token: str | None = None
    """Presented to `HospitalReader`, it makes a read see this write, in any process, on any member."""


class HospitalOutcome(_Outcome):
    """What every outcome about one hospital tells; `revision` is the one that this job left or met."""

    hospital_id: str
    revision: int | None = None


class IngestOutcome(HospitalOutcome):
    """`reason` says why nothing was changed: `kept` (on_existing is keep), `same`, `newer_stored` or
    `registered`.
    """

    status: Literal["created", "merged", "unchanged"]
    reason: Literal["kept", "same", "newer_stored", "registered"] | None = None


class Rejection(BaseModel):
    """Why one record of a chunk was refused: its position from 0, and each wrong field."""

    index: int
    problems: list[str]


RecordStatus = Literal["created", "merged", "unchanged", "rejected"]


class ChunkOutcome(_Outcome):
    """`statuses` has one entry per record, in the order of the chunk; `rejections` explains the rejected."""

    statuses: list[RecordStatus]
    rejections: list[Rejection] = []

    def count(self, status: RecordStatus) -> int:
        """Return how many records ended with `status`."""
        return self.statuses.count(status)


ConflictReason = Literal["already_registered", "registered", "not_registered", "revision"]


class CorrectionOutcome(HospitalOutcome):
    """`conflict` with reason `registered` (amend it instead) or `revision` (somebody else changed it)."""

    status: Literal["corrected", "conflict", "not_found"]
    reason: ConflictReason | None = None


class DiscardOutcome(HospitalOutcome):
    """`discarded`: the hospital of that revision is not there any more."""

    status: Literal["discarded", "conflict"]
    reason: ConflictReason | None = None


class RegistrationOutcome(HospitalOutcome):
    """`log_id` names the log entry, of the registration or of the rejected attempt."""

    status: Literal["registered", "conflict"]
    reason: ConflictReason | None = None
    log_id: str


class AmendmentOutcome(HospitalOutcome):
    """`log_id` names the log entry, of the amendment or of the rejected attempt."""

    status: Literal["amended", "conflict", "not_found"]
    reason: ConflictReason | None = None
    log_id: str


class WithdrawalOutcome(HospitalOutcome):
    """`log_id` names the log entry, of the withdrawal or of the rejected attempt."""

    status: Literal["withdrawn", "conflict", "not_found"]
    reason: ConflictReason | None = None
    log_id: str
