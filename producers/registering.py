"""Registers the hospitals of a file, one audited job each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from producers.console import ProgressCallback
from producers.files import FileRow, HospitalFile, RejectWriter
from producers.files.columns import Mapped
from producers.files.table import RawRow
from producers.files.values import RowReader, ValueWishes, choose_readers
from producers.loading import FileLoad, FileSummary, OutcomeSource, Producer
from worker.contract import REGISTER_HOSPITAL, HospitalRecord, RegisterHospital, RegistrationOutcome, new_job_id
from worker.contract.validation import parse
from worker.errors import InvalidPayload, PayloadProblem
from worker.queue.digests import call_digest

# One MongoDB was fastest with this number of concurrent transactions.
_REGISTRATIONS_IN_FLIGHT = 50
DEFAULT_ACT = "file"
"""Stands before the digest in the idempotency key of a row, unless a load has a name of its own."""
# A registration that was logged so long before this load began is of an earlier one, although clocks differ.
_CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class RegistrationSummary(FileSummary):
    """The result of registering a file, in rows.

    `already_registered`: by an earlier load of the same rows, or by an equal row of this one. `conflicts`: by
    another act.
    """

    registered: int
    already_registered: int
    conflicts: int

    @property
    def complete(self) -> bool:
        """Whether this load, or an earlier one that it repeats, registered every row."""
        return self.trouble is None and self.registered + self.already_registered == self.rows


class RegistrationLoad(FileLoad[RegistrationOutcome]):
    """Registers a file's hospitals through the default queue.

    The idempotency key of a row is made of its content, actor, reason and `act`: loads that agree in these are one
    operation on that hospital, whatever their files are called.
    """

    def __init__(
        self,
        producer: Producer,
        file: HospitalFile,
        rejects: RejectWriter,
        *,
        actor: str,
        reason: str,
        wait: float,
        on_progress: ProgressCallback,
        act: str = DEFAULT_ACT,
    ) -> None:
        """`wait` is the number of seconds to wait for the outcome of one registration."""
        super().__init__(
            file,
            rejects,
            rows_per_job=1,
            jobs_in_flight=_REGISTRATIONS_IN_FLIGHT,
            wait=wait,
            on_progress=on_progress,
        )
        self._producer = producer
        self._actor = actor
        self._reason = reason
        self._act = act
        self._began_at = datetime.now(UTC)

    def summary(self) -> RegistrationSummary:
        """Return the counts so far: during the run, after it, or after it was cancelled."""
        return RegistrationSummary(
            **asdict(self._file_summary()),
            registered=self._statuses["registered"],
            already_registered=self._statuses["already registered"],
            conflicts=self._statuses["conflict"],
        )

    async def _send(self, rows: list[FileRow]) -> OutcomeSource[RegistrationOutcome]:
        (known,) = (row.known for row in rows)
        payload = registration(parse(HospitalRecord, known), actor=self._actor, reason=self._reason)
        return await self._producer.enqueue(REGISTER_HOSPITAL, payload, idempotency_key=row_key(self._act, payload))

    def _count(
        self, rows: list[FileRow], receipt: OutcomeSource[RegistrationOutcome], outcome: RegistrationOutcome
    ) -> None:
        earlier = outcome.status == "registered" and (receipt.state != "new" or self._was_logged_before(outcome))
        self._statuses["already registered" if earlier else outcome.status] += len(rows)
        if outcome.status == "conflict":
            # It may be another hospital of this identity, so the row must not disappear.
            for row in rows:
                self._rejects.write(row, (f"conflict: {outcome.hospital_id} is registered already",))

    def _was_logged_before(self, outcome: RegistrationOutcome) -> bool:
        # Once Redis has forgotten the job, it runs again, and finds its log entry.
        return outcome.logged_at is not None and outcome.logged_at < self._began_at - _CLOCKS_DIFFER


def row_key(act: str, payload: RegisterHospital) -> str:
    """Return the idempotency key of a row."""
    return f"{act}:{call_digest(REGISTER_HOSPITAL.name, payload)}"


def check_act(act: str) -> None:
    """Raise `InvalidPayload` if the name of an act cannot stand at the beginning of an idempotency key."""
    new_job_id(REGISTER_HOSPITAL, f"{act}:{'-' * 16}")


def registration(record: HospitalRecord, *, actor: str, reason: str) -> RegisterHospital:
    """Return the payload of one registration. Raises `InvalidPayload` if actor or reason is invalid."""
    return parse(RegisterHospital, {"record": record, "actor": actor, "reason": reason})


def record_from_text(fields: Mapping[str, str]) -> HospitalRecord:
    """Return a record from fields given as text, which is read as a file's cells are. Raises `InvalidPayload`."""
    mapped = [Mapped(name, (name,), "given") for name in fields]
    reader = RowReader(mapped, choose_readers(mapped, {}, ValueWishes()), strict=True)
    row = reader.read(RawRow(1, fields))
    if row.known is None:
        reasons = [reason.partition(": ") for reason in row.reasons]
        raise InvalidPayload(HospitalRecord.__name__, [PayloadProblem(it[0], it[2]) for it in reasons])
    halves = [] if "location" in row.known else [it for it in ("latitude", "longitude") if fields.get(it)]
    if halves:
        problems = [PayloadProblem(it, "give latitude and longitude") for it in halves]
        raise InvalidPayload(HospitalRecord.__name__, problems)
    return HospitalRecord.model_validate(row.known)
