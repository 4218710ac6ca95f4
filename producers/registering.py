"""Registers the hospitals of a file, one audited job for each row, and accounts for every row.

At any moment each row that was read is counted exactly once: as rejected, done (its job has an outcome), failed
with its job, pending in the queue, or unconfirmed (the queue did not confirm that it took the row).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from producers.console import ProgressCallback
from producers.files import FileError, FileRow, HospitalFile, RejectWriter
from worker.contract import REGISTER_HOSPITAL, HospitalRecord, RegisterHospital, RegistrationOutcome, new_job_id
from worker.contract.validation import parse
from worker.errors import OutageError, RegistryError, RemoteError, WritesRefused
from worker.queue.digests import call_digest

if TYPE_CHECKING:
    from producers.client import HospitalProducer
    from producers.receipts import Receipt

# One MongoDB was fastest with this number of concurrent transactions.
_IN_FLIGHT = 50
DEFAULT_ACT = "file"
"""Stands before the digest in the idempotency key of a row, unless a run has a name of its own."""
# A registration that was logged so long before this run began is of an earlier one, although clocks differ.
_CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class RegistrationSummary:
    """The result of registering a file, in rows.

    `failed`: in jobs that became dead letters (`failed_jobs`). `pending`: taken by the queue, outcome not known yet
    (`pending_jobs`). `unconfirmed`: read, but the queue did not confirm that it took them. `already_registered`: by
    an earlier run over the same rows, or by an equal row of this one. `conflicts`: registered by another act.
    `trouble` says why the run ended before the end of the file.
    """

    rows: int
    rejected: int
    failed: int
    pending: int
    unconfirmed: int
    seconds: float
    records_per_s: float
    failed_jobs: tuple[str, ...]
    pending_jobs: tuple[str, ...]
    trouble: str | None
    registered: int
    already_registered: int
    conflicts: int

    @property
    def done(self) -> int:
        """Rows whose jobs have an outcome."""
        return self.rows - self.rejected - self.failed - self.pending - self.unconfirmed

    @property
    def complete(self) -> bool:
        """Whether this run, or an earlier one that it repeats, registered every row."""
        return self.trouble is None and self.registered + self.already_registered == self.rows


class RegistrationRun:
    """Registers a file's hospitals through the default queue. `run` may be cancelled; the counts stay correct.

    The idempotency key of a row is made of its content, actor, reason and `act`: runs that agree in these are one
    operation on that hospital, whatever their files are called.
    """

    def __init__(
        self,
        producer: "HospitalProducer",
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
        self._producer = producer
        self._file = file
        self._rejects = rejects
        self._actor = actor
        self._reason = reason
        self._act = act
        self._wait = wait
        self._on_progress = on_progress
        self._rows = self._invalid = self._accepted = self._failed = 0
        # Rows by job; equal rows are one job.
        self._pending: Counter[str] = Counter()
        self._failed_jobs: list[str] = []
        self._statuses: Counter[str] = Counter()
        self._line_done = 0
        self._trouble: str | None = None
        self.may_be_queued = False
        """Whether the queue may have taken rows that count as unconfirmed, because its answer never arrived."""
        self._began_at = datetime.now(UTC)
        self._started = self._ended = 0.0

    def summary(self) -> RegistrationSummary:
        """Return the counts so far: during the run, after it, or after it was cancelled."""
        pending = self._pending.total()
        seconds = (self._ended or time.monotonic()) - self._started
        answered = self._accepted - pending - self._failed
        return RegistrationSummary(
            rows=self._rows,
            rejected=self._invalid,
            failed=self._failed,
            pending=pending,
            unconfirmed=self._rows - self._invalid - self._accepted,
            seconds=round(seconds, 3),
            records_per_s=round(answered / seconds, 1) if seconds else 0.0,
            failed_jobs=tuple(self._failed_jobs),
            pending_jobs=tuple(self._pending),
            trouble=self._trouble,
            registered=self._statuses["registered"],
            already_registered=self._statuses["already registered"],
            conflicts=self._statuses["conflict"],
        )

    async def run(self) -> None:
        """Register the rows to the end of the file, or until the queue or the file fails; see `trouble` then."""
        running: set[asyncio.Task[None]] = set()
        self._started = time.monotonic()
        try:
            with closing(self._valid_rows()) as rows:
                while self._trouble is None and (row := self._next(rows)) is not None:
                    running.add(asyncio.create_task(self._register(row)))
                    if len(running) >= _IN_FLIGHT:
                        running = await _until_one_ends(running)
            while running:
                running = await _until_one_ends(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._ended = time.monotonic()

    def _valid_rows(self) -> Generator[FileRow, None, None]:
        for row in self._file.rows():
            self._rows += 1
            if row.known is None:
                self._invalid += 1
                self._rejects.write(row, row.reasons)
            else:
                yield row

    def _next(self, rows: Generator[FileRow, None, None]) -> FileRow | None:
        try:
            return next(rows, None)
        except FileError as error:
            self._trouble = str(error)
            return None

    async def _register(self, row: FileRow) -> None:
        try:
            receipt = await self._enqueue(row)
            self._accepted += 1
            self._pending[receipt.job_id] += 1
            try:
                outcome = await receipt.outcome(self._wait)
            except RemoteError as error:
                self._answered(receipt.job_id)
                self._failed += 1
                self._failed_jobs.append(receipt.job_id)
                self._rejects.write(row, (f"job {receipt.job_id} failed: {error}",))
            else:
                self._answered(receipt.job_id)
                self._count(row, receipt, outcome)
            self._line_done = max(self._line_done, row.line)
            self._on_progress(self._line_done)
        except TimeoutError:
            self._trouble = (
                f"no outcome within {self._wait:g} s; pending jobs stay in the queue until a worker runs them: "
                "start a worker, or increase --wait"
            )
        except RegistryError as error:
            self._trouble = str(error)
            self.may_be_queued |= isinstance(error, OutageError) and not isinstance(error, WritesRefused)

    async def _enqueue(self, row: FileRow) -> "Receipt[RegistrationOutcome]":
        payload = registration(parse(HospitalRecord, row.known), actor=self._actor, reason=self._reason)
        key = f"{self._act}:{call_digest(REGISTER_HOSPITAL.name, payload)}"
        return await self._producer.enqueue(REGISTER_HOSPITAL, payload, idempotency_key=key)

    def _answered(self, job_id: str) -> None:
        self._pending[job_id] -= 1
        if not self._pending[job_id]:
            del self._pending[job_id]

    def _count(self, row: FileRow, receipt: "Receipt[RegistrationOutcome]", outcome: RegistrationOutcome) -> None:
        earlier = outcome.status == "registered" and (receipt.state != "new" or self._was_logged_before(outcome))
        self._statuses["already registered" if earlier else outcome.status] += 1
        if outcome.status == "conflict":
            # It may be another hospital of this identity, so the row must not disappear.
            self._rejects.write(row, (f"conflict: {outcome.hospital_id} is registered already",))

    def _was_logged_before(self, outcome: RegistrationOutcome) -> bool:
        # Once Redis has forgotten the job, it runs again, and finds its log entry.
        return outcome.logged_at is not None and outcome.logged_at < self._began_at - _CLOCKS_DIFFER


def check_act(act: str) -> None:
    """Raise `InvalidPayload` if the name of an act cannot stand at the beginning of an idempotency key."""
    new_job_id(REGISTER_HOSPITAL, f"{act}:{'-' * 16}")


def registration(record: HospitalRecord, *, actor: str, reason: str) -> RegisterHospital:
    """Return the payload of one registration. Raises `InvalidPayload` if actor or reason is invalid."""
    return parse(RegisterHospital, {"record": record, "actor": actor, "reason": reason})


async def _until_one_ends(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, still_running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return still_running
