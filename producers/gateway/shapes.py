"""What the gateway takes and answers, as its OpenAPI document has it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from worker.contract import (
    MAX_CHUNK_RECORDS,
    CorrectHospital,
    DiscardHospital,
    HospitalChanges,
    HospitalRecord,
    IngestHospital,
    OnExisting,
)
from worker.contract.fields import HospitalId, Reason, Revision
from worker.contract.imports import ImportedFile, ImportState
from worker.contract.payloads import Payload
from worker.queue.job_state import JobState

EndedState = Literal["done", "failed", "dead"]


# FastAPI silences the warnings of its own use of pydantic only while it adds a route, so bodies are built then.
class Ingestion(IngestHospital, defer_build=False):
    """Ingest one record of a feed."""


class Correction(CorrectHospital, defer_build=False):
    """Change a hospital that is not registered, if it still has the revision."""


class Discard(DiscardHospital, defer_build=False):
    """Remove a hospital that is not registered, if it still has the revision."""


class Records(Payload, defer_build=False):
    """Ingest up to 1,000 records. If one of them is invalid, none is enqueued."""

    records: Annotated[list[HospitalRecord], Field(min_length=1, max_length=MAX_CHUNK_RECORDS)]
    on_existing: OnExisting = "keep"


class Registration(Payload, defer_build=False):
    """Register a hospital. The owner of the key becomes the actor in the audit log."""

    record: HospitalRecord
    reason: Reason


class Amendment(Payload, defer_build=False):
    """Change a registered hospital. If `revision` is given, the hospital must still have that revision."""

    hospital_id: HospitalId
    changes: HospitalChanges
    reason: Reason
    revision: Revision | None = None


class Withdrawal(Payload, defer_build=False):
    """Remove a registered hospital. If `revision` is given, the hospital must still have that revision."""

    hospital_id: HospitalId
    reason: Reason
    revision: Revision | None = None


class JobLinks(BaseModel):
    """Where to ask for a job."""

    status: str
    outcome: str
    explanation: str
    events: str


class ReceiptShown(BaseModel):
    """Proof that the queue has the job.

    `state` is `new`, or `queued`, `running`, `done` or `dead` if a job with the same key existed already.
    """

    job_id: str
    state: Literal["new", "queued", "running", "done", "dead"]
    links: JobLinks


class StatusShown(BaseModel):
    """The state of a job, and how many tries it has spent."""

    job_id: str
    state: JobState
    tries: int
    enqueued_at: datetime | None
    error: str | None


class OutcomeShown(BaseModel):
    """How a job has ended: `outcome` if it is done, `error` if it has failed or is a dead letter."""

    job_id: str
    state: EndedState
    outcome: Any
    error: str | None


class ExplanationShown(BaseModel):
    """Why a job is in its state, what would change that, and every fact that is known of it."""

    job_id: str
    state: str
    reason: str
    change: str
    facts: dict[str, Any]


class AbortShown(BaseModel):
    """That a job is to be aborted. It may end before a worker notices."""

    job_id: str
    state: str


class HospitalShown(BaseModel, extra="allow"):
    """A stored hospital, with every field that is known of it."""

    hospital_id: str


class HospitalsShown(BaseModel):
    """Hospitals in the order of their ids; `next` is the cursor of those that follow."""

    hospitals: list[HospitalShown]
    next: str | None


class ImportSummary(BaseModel):
    """One import: what was imported, by whom, and whether it runs."""

    import_id: str
    state: ImportState
    file: ImportedFile
    on_existing: OnExisting
    source: str | None
    strict: bool
    started_by: str
    started_at: datetime
    ended_at: datetime | None


class ImportsShown(BaseModel):
    """The latest imports, the newest first."""

    imports: list[ImportSummary]


class ImportShown(ImportSummary):
    """One import, and how far it is.

    `rows` has the rows by what became of them, and `unaccounted` those that no job has accounted for. `jobs` counts
    its jobs: how many were enqueued, and how many have ended in each way; `null` 30 days after the end.
    """

    rows: dict[str, int]
    unaccounted: int
    left_out: dict[str, int]
    jobs: dict[str, int] | None


class ImportBegun(ImportSummary):
    """The import that an upload has begun or continued; `notes` are what a person should know of how it is read."""

    resumed: bool
    notes: list[str]


class HealthShown(BaseModel):
    """Whether the servers answer that the gateway needs."""

    redis: Literal["ok", "unavailable"]
    mongodb: Literal["ok", "unavailable"]
