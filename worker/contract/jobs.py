"""The kinds of job (`JOBS`), the names of the queues, and how a job id is made and read."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from worker.contract.deferred import Deferred
from worker.contract.fields import BATCH_MARK, NO_KEY, IdempotencyKey
from worker.contract.imports import (
    CloseImport,
    CloseImportOutcome,
    FindImports,
    ImportReportOutcome,
    ImportsOutcome,
    OpenImport,
    OpenImportOutcome,
    PreviewHospitals,
    PreviewOutcome,
    ReadImportReport,
)
from worker.contract.outcomes import (
    AmendmentOutcome,
    ChunkOutcome,
    CorrectionOutcome,
    DiscardOutcome,
    IngestOutcome,
    RegistrationOutcome,
    WithdrawalOutcome,
)
from worker.contract.payloads import (
    AmendHospital,
    CorrectHospital,
    DiscardHospital,
    IngestHospital,
    IngestHospitals,
    RegisterHospital,
    WithdrawHospital,
)
from worker.contract.validation import parse
from worker.errors import InvalidPayload

DEFAULT_QUEUE = "arq:queue"
BULK_QUEUE = "arq:queue:bulk"
QUEUES = (DEFAULT_QUEUE, BULK_QUEUE)

P = TypeVar("P", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True, slots=True)
class JobSpec(Generic[P, O_co]):
    """One kind of job: its name on the wire, its payload and outcome types, and its queue."""

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
OPEN_IMPORT = JobSpec("open_import", OpenImport, OpenImportOutcome)
CLOSE_IMPORT = JobSpec("close_import", CloseImport, CloseImportOutcome)
FIND_IMPORTS = JobSpec("find_imports", FindImports, ImportsOutcome)
READ_IMPORT_REPORT = JobSpec("read_import_report", ReadImportReport, ImportReportOutcome)
PREVIEW_HOSPITALS = JobSpec("preview_hospitals", PreviewHospitals, PreviewOutcome)
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
        OPEN_IMPORT,
        CLOSE_IMPORT,
        FIND_IMPORTS,
        READ_IMPORT_REPORT,
        PREVIEW_HOSPITALS,
    )
}


class _Call(Deferred):
    idempotency_key: IdempotencyKey


def new_job_id(spec: JobSpec[Any, Any], idempotency_key: str | None = None) -> str:
    """Return the job id for one call: equal keys of one kind of job give equal ids; without a key the id is new.

    The job's name is part of the id because arq's in-progress keys ignore the queue. Raises `InvalidPayload`,
    without the key, for a key that is not 1 to 200 printable ASCII characters without spaces, or that looks like
    what ids without a key have in its place (`~` and 16 characters).
    """
    if idempotency_key is None:
        # 96 random bits: the chance of any collision among 10^9 ids is one in 10^11.
        return f"{spec.name}:~{secrets.token_urlsafe(12)}"
    return f"{spec.name}:{_checked(spec, idempotency_key)}"


def batch_job_id(spec: JobSpec[Any, Any], batch_id: str, key: str | None = None) -> str:
    """Return the job id of a batch's job with that key, or without a key, that of its completion job.

    Raises `InvalidPayload` for a key that has not 1 to 200 printable ASCII characters without spaces, together with
    the id of the batch and a colon.
    """
    name = batch_id if key is None else f"{batch_id}:{key}"
    return f"{spec.name}:{BATCH_MARK}{_checked(spec, name)}"


def _checked(spec: JobSpec[Any, Any], key: str) -> str:
    try:
        return parse(_Call, {"idempotency_key": key}).idempotency_key
    except InvalidPayload as error:
        # The caller knows the payload that it passed, not `_Call`.
        raise InvalidPayload(spec.payload.__name__, error.problems) from None


def has_key(job_id: str) -> bool:
    """Whether a call may be repeated under this id: every id counts that `new_job_id` has not made without a key.

    So ids of producers in other languages, of earlier versions and of arq's own client count too.
    """
    return NO_KEY.fullmatch(job_id.partition(":")[2]) is None
