"""Streams a file through the queue, with a limited number of jobs in flight, and accounts for every row.

At any moment each row that was read is counted exactly once: as rejected, done (its job has an outcome), failed
with its job, pending in the queue, or unconfirmed (the queue did not confirm that it took the row). All other rows
count as `lost`.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pydantic import BaseModel

from producers.console import ProgressCallback
from producers.files import FileError, FileRow, HospitalFile, RejectWriter
from worker.contract import JobSpec
from worker.errors import OutageError, RegistryError, RemoteError, WritesRefused

if TYPE_CHECKING:
    from worker.queue.scripts import EnqueueState

# A job of more than 16 MB is refused. A chunk without attributes has at most half of that, and each character of an
# attribute takes up to four bytes.
_ATTRIBUTE_CHARACTERS_PER_JOB = 1_500_000

P = TypeVar("P", bound=BaseModel)
O = TypeVar("O", bound=BaseModel)  # noqa: E741  # the name that worker.contract uses for outcomes
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)


class OutcomeSource(Protocol[O_co]):
    """The part of a receipt that a load needs."""

    @property
    def job_id(self) -> str:
        """The id of the job."""

    @property
    def state(self) -> "EnqueueState | None":
        """How the queue found that id."""

    async def outcome(self, timeout: float) -> O_co:
        """Return the outcome within `timeout` seconds; raise `RemoteError` or `TimeoutError`."""


class Producer(Protocol):
    """The part of `HospitalProducer` that a load needs."""

    async def enqueue(self, spec: JobSpec[P, O], payload: P, *, idempotency_key: str) -> OutcomeSource[O]:
        """Enqueue one job, unless it was enqueued under this key before."""


@dataclass(frozen=True, kw_only=True)
class FileSummary:
    """The result of a load, in rows.

    `failed`: in jobs that became dead letters (`failed_jobs`). `pending`: taken by the queue, outcome not known yet
    (`pending_jobs`). `unconfirmed`: read, but the queue did not confirm that it took them. `lost`: rows that an
    outcome does not account for. `trouble` says why the load ended before the end of the file.
    """

    rows: int
    rejected: int
    failed: int
    pending: int
    unconfirmed: int
    lost: int
    seconds: float
    records_per_s: float
    failed_jobs: tuple[str, ...]
    pending_jobs: tuple[str, ...]
    trouble: str | None

    @property
    def done(self) -> int:
        """Rows that a job processed as requested."""
        return self.rows - self.rejected - self.failed - self.pending - self.unconfirmed - self.lost

    @property
    def complete(self) -> bool:
        """Whether every row was processed as requested."""
        return self.trouble is None and self.done == self.rows


class FileLoad(ABC, Generic[O]):
    """One load of a file through the queue. `run` may be cancelled; the counts stay correct."""

    def __init__(
        self,
        file: HospitalFile,
        rejects: RejectWriter,
        *,
        rows_per_job: int,
        jobs_in_flight: int,
        wait: float,
        on_progress: ProgressCallback,
    ) -> None:
        """`wait` is the number of seconds to wait for the outcome of one job."""
        self._file = file
        self._rejects = rejects
        self._rows_per_job = rows_per_job
        self._jobs_in_flight = jobs_in_flight
        self._wait = wait
        self._on_progress = on_progress
        self._rows = self._invalid = self._accepted = self._failed = self._lost = 0
        # Rows by job; equal rows are one job.
        self._pending: Counter[str] = Counter()
        self._failed_jobs: list[str] = []
        self._statuses: Counter[str] = Counter()
        self._line_done = 0
        self._trouble: str | None = None
        self.may_be_queued = False
        """Whether the queue may have taken rows that count as unconfirmed, because its answer never arrived."""
        self._started = self._ended = 0.0

    @abstractmethod
    def summary(self) -> FileSummary:
        """Return the counts so far: during the run, after it, or after it was cancelled."""

    @abstractmethod
    async def _send(self, rows: list[FileRow]) -> OutcomeSource[O]:
        """Enqueue the job for these rows."""

    @abstractmethod
    def _count(self, rows: list[FileRow], receipt: OutcomeSource[O], outcome: O) -> None:
        """Count the statuses of these rows."""

    async def run(self) -> None:
        """Load the file to its end, or until the queue or the file fails; then the summary says why (`trouble`)."""
        running: set[asyncio.Task[None]] = set()
        self._started = time.monotonic()
        try:
            with closing(self._groups()) as groups:
                while self._trouble is None and (group := self._next(groups)):
                    running.add(asyncio.create_task(self._process(group)))
                    if len(running) >= self._jobs_in_flight:
                        running = await _until_one_ends(running)
            while running:
                running = await _until_one_ends(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._ended = time.monotonic()

    def _file_summary(self) -> FileSummary:
        pending = self._pending.total()
        seconds = (self._ended or time.monotonic()) - self._started
        answered = self._accepted - pending - self._failed
        return FileSummary(
            rows=self._rows,
            rejected=self._invalid + self._statuses["rejected"],
            failed=self._failed,
            pending=pending,
            unconfirmed=self._rows - self._invalid - self._accepted,
            lost=self._lost,
            seconds=round(seconds, 3),
            records_per_s=round(answered / seconds, 1) if seconds else 0.0,
            failed_jobs=tuple(self._failed_jobs),
            pending_jobs=tuple(self._pending),
            trouble=self._trouble,
        )

    def _groups(self) -> Generator[list[FileRow], None, None]:
        group: list[FileRow] = []
        characters = 0
        for row in self._file.rows():
            self._rows += 1
            if row.known is None:
                self._invalid += 1
                self._rejects.write(row, row.reasons)
                continue
            group.append(row)
            if "attributes" in row.known:
                characters += sum(len(str(value)) for value in row.known["attributes"].values())
            if len(group) == self._rows_per_job or characters >= _ATTRIBUTE_CHARACTERS_PER_JOB:
                yield group
                group, characters = [], 0
        if group:
            yield group

    def _next(self, groups: Generator[list[FileRow], None, None]) -> list[FileRow] | None:
        try:
            return next(groups, None)
        except FileError as error:
            self._trouble = str(error)
            return None

    async def _process(self, rows: list[FileRow]) -> None:
        try:
            receipt = await self._send(rows)
            self._accepted += len(rows)
            self._pending[receipt.job_id] += len(rows)
            try:
                outcome = await receipt.outcome(self._wait)
            except RemoteError as error:
                self._answered(receipt.job_id, len(rows))
                self._failed += len(rows)
                self._failed_jobs.append(receipt.job_id)
                for row in rows:
                    self._rejects.write(row, (f"job {receipt.job_id} failed: {error}",))
            else:
                self._answered(receipt.job_id, len(rows))
                self._count(rows, receipt, outcome)
            self._line_done = max(self._line_done, rows[-1].line)
            self._on_progress(self._line_done)
        except TimeoutError:
            self._trouble = (
                f"no outcome within {self._wait:g} s; pending jobs stay in the queue until a worker runs them: "
                "start a worker, or increase --wait"
            )
        except RegistryError as error:
            self._trouble = str(error)
            self.may_be_queued |= isinstance(error, OutageError) and not isinstance(error, WritesRefused)

    def _answered(self, job_id: str, rows: int) -> None:
        self._pending[job_id] -= rows
        if not self._pending[job_id]:
            del self._pending[job_id]


async def _until_one_ends(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, still_running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return still_running
