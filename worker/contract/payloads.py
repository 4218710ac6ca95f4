"""What producers and workers agree on: job names, queues, payloads, outcomes and job ids.

A payload is validated where it enters (the producer's call, and the worker's job for whatever else writes to
Redis); inside, the models are trusted. An outcome says what is true of the hospital now, so a job delivered
twice returns the same outcome twice; only its causal `token` is of the delivery.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.contract.fields import (
    Attributes,
    Beds,
    ExternalId,
    GeoPoint,
    HospitalId,
    Instant,
    Name,
    Reason,
    Revision,
    ShortText,
    Source,
)
from worker.contract.identity import NAME_PREFIX, hospital_identity
from worker.contract.validation import parse

DEFAULT_QUEUE = "arq:queue"
BULK_QUEUE = "arq:queue:bulk"
QUEUES = (DEFAULT_QUEUE, BULK_QUEUE)
MAX_CHUNK_RECORDS = 1_000

HospitalType = Literal["single", "multi"]
OnExisting = Literal["keep", "merge"]


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class HospitalFields(_Payload):
    """What a source may know of a hospital besides its name and identity. `None` means not known."""

    hospital_type: HospitalType | None = None
    address: ShortText | None = None
    city: ShortText | None = None
    state: ShortText | None = None
    postal_code: ShortText | None = None
    county: ShortText | None = None
    country: ShortText | None = None
    phone: ShortText | None = None
    ownership: ShortText | None = None
    emergency_services: bool | None = None
    beds: Beds | None = None
    location: GeoPoint | None = None
    attributes: Attributes | None = None


class HospitalRecord(HospitalFields):
    """One hospital as a feed knows it."""

    hospital_name: Name
    source: Source | None = None
    external_id: ExternalId | None = None
    observed_at: Instant | None = None

    @model_validator(mode="after")
    def _external_id_needs_source(self) -> Self:
        if self.external_id is not None and self.source is None:
            raise ValueError("external_id needs a source")
        return self

    @property
    def hospital_id(self) -> str:
        """The hospital's identity, the `_id` of its document."""
        return hospital_identity(self.hospital_name, self.source, self.external_id)


class HospitalChanges(HospitalFields):
    """New values for some fields; a field given as `null` is cleared, a field left out is not touched."""

    hospital_name: Name | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names no field to change")
        for required in ("hospital_name", "hospital_type"):
            if required in self.model_fields_set and getattr(self, required) is None:
                raise ValueError(f"{required} cannot be cleared")
        return self


class _ChangesOfHospital(_Payload):
    hospital_id: HospitalId
    changes: HospitalChanges

    @model_validator(mode="after")
    def _keeps_identity(self) -> Self:
        name = self.changes.hospital_name
        if (
            name is not None
            and self.hospital_id.startswith(f"{NAME_PREFIX}:")
            and hospital_identity(name, None, None) != self.hospital_id
        ):
            raise ValueError("changes.hospital_name would change the identity of a hospital known by name")
        return self


class _AuditedAct(_Payload):
    actor: ShortText
    reason: Reason


class IngestHospital(_Payload):
    """Take in one record from a feed."""

    record: HospitalRecord
    on_existing: OnExisting = "keep"


class IngestHospitals(_Payload):
    """Take in up to 1,000 records of a file. Records are validated one by one, so one bad one sinks none."""

    records: Annotated[list[Any], Field(min_length=1, max_length=MAX_CHUNK_RECORDS)]
    on_existing: OnExisting = "keep"


class CorrectHospital(_ChangesOfHospital):
    """Change a partial hospital, if it still has the revision that the caller saw."""

    revision: Revision


class DiscardHospital(_Payload):
    """Remove a partial hospital, if it still has the revision that the caller saw."""

    hospital_id: HospitalId
    revision: Revision


class RegisterHospital(_AuditedAct):
    """Make a hospital registered: insert it, or promote the partial one of the same identity."""

    record: HospitalRecord


class AmendHospital(_ChangesOfHospital, _AuditedAct):
    """Change a registered hospital; with `revision`, only if it still has that revision."""

    revision: Revision | None = None


class WithdrawHospital(_AuditedAct):
    """Remove a registered hospital; with `revision`, only if it still has that revision."""

    hospital_id: HospitalId
    revision: Revision | None = None


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


P = TypeVar("P", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True, slots=True)
class JobSpec(Generic[P, O_co]):
    """One kind of job: its name on the wire, what goes in, what comes out, and the queue it travels."""

    name: str
    payload: type[P]
    outcome: type[O_co]
    queue: str = DEFAULT_QUEUE


INGEST_HOSPITAL = JobSpec("ingest_hospital", IngestHospital, IngestOutcome)
INGEST_HOSPITALS = JobSpec("ingest_hospitals", IngestHospitals, ChunkOutcome, BULK_QUEUE)
CORRECT_HOSPITAL = JobSpec("correct_hospital", CorrectHospital, CorrectionOutcome)
DISCARD_HOSPITAL = JobSpec("discard_hospital", DiscardHospital, DiscardOutcome)
REGISTER_HOSPITAL = JobSpec("register_hospital", RegisterHospital, RegistrationOutcome)
AMEND_HOSPITAL = JobSpec("amend_hospital", AmendHospital, AmendmentOutcome)
WITHDRAW_HOSPITAL = JobSpec("withdraw_hospital", WithdrawHospital, WithdrawalOutcome)
JOBS: Mapping[str, JobSpec[Any, Any]] = {
    spec.name: spec
    for spec in (
        INGEST_HOSPITAL,
        INGEST_HOSPITALS,
        CORRECT_HOSPITAL,
        DISCARD_HOSPITAL,
        REGISTER_HOSPITAL,
        AMEND_HOSPITAL,
        WITHDRAW_HOSPITAL,
    )
}


class _Call(_Payload):
    idempotency_key: ShortText


def new_job_id(spec: JobSpec[Any, Any], idempotency_key: str | None = None) -> str:
    """Return the job id for one call: equal keys of one kind of job give equal ids, no key a fresh one.

    The job's name is part of the id because arq's in-progress keys ignore the queue. Raises `InvalidPayload`
    for a key that is blank, longer than 200 characters or holds control characters.
    """
    if idempotency_key is None:
        # 96 random bits: a collision among a thousand million ids is one in 10^11.
        return f"{spec.name}:{secrets.token_urlsafe(12)}"
    return f"{spec.name}:{parse(_Call, {'idempotency_key': idempotency_key}).idempotency_key}"
