"""One file as an import: one batch of chunk jobs, which any process can continue, watch or cancel."""

import asyncio
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel

from producers.batches import Batch
from producers.client import HospitalProducer
from producers.files import FileError, HospitalFile
from producers.files.digest import file_digest
from producers.files.profile import profile_text
from producers.files.spooling import shown_path
from producers.import_chunks import chunks_of
from producers.receipts import Receipt
from worker.contract import (
    CLOSE_IMPORT,
    FIND_IMPORTS,
    INGEST_HOSPITALS,
    OPEN_IMPORT,
    READ_IMPORT_REPORT,
    OnExisting,
    RecordStatus,
)
from worker.contract.imports import (
    CloseImport,
    FindImports,
    Import,
    ImportedFile,
    OpenImport,
    ReadImportReport,
    ReportEntry,
    cells_left_out,
    rows_by_status,
)
from worker.contract.validation import parse
from worker.errors import BatchClosed, BatchNotFound, RegistryError
from worker.queue.batches import BatchProgress

O_co = TypeVar("O_co", bound=BaseModel, covariant=True)

# Enough to keep four workers busy while the next chunks are read, with at most 8,000 rows in Redis.
_CHUNKS_IN_FLIGHT = 8
_FIRST_POLL_S, _LONGEST_POLL_S = 0.01, 0.5
# A change of how rows are grouped must not continue an import whose chunks were made otherwise.
_FINGERPRINT_VERSION = 3

_LOAD_AGAIN = "what is stored may be of both; load it again when nothing writes to it any more"


class ImportStalled(RegistryError):
    """No worker has answered for a while. An import that was begun can be continued."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How far an import is: its document and its batch."""

    found: Import
    progress: BatchProgress

    @property
    def rows(self) -> dict[RecordStatus, int]:
        """The rows by what became of them."""
        return rows_by_status(self.progress.counts)

    @property
    def left_out(self) -> dict[str, int]:
        """The cells that could not be read, by field."""
        return cells_left_out(self.progress.counts)

    @property
    def unaccounted(self) -> int:
        """The rows that no job has accounted for: of dead letters and cancelled jobs, or still to come."""
        return self.found.file.rows - sum(self.rows.values())


class FileImport:
    """The import of one file.

    `run` begins it, or continues the import of the same file and options that has not ended. `wait_s` is how long
    to wait for the next chunk to end before `ImportStalled` is raised. A cancelled `run` leaves an import that can
    be continued.
    `on_progress` is called with the number of the file's lines that have been enqueued. `begun` is an import to
    continue, which must be of the same file, read as its profile says.
    """

    def __init__(
        self,
        producer: HospitalProducer,
        file: HospitalFile,
        *,
        on_existing: OnExisting,
        started_by: str,
        wait_s: float,
        on_progress: Callable[[int], None],
        begun: Import | None = None,
    ) -> None:
        self._producer = producer
        self._file = file
        self._on_existing = on_existing
        self._started_by = started_by
        self._wait_s = wait_s
        self._on_progress = on_progress
        self.found: Import | None = begun
        """The import's document, once it was begun."""
        self.resumed = begun is not None
        """Whether an import was continued that an earlier run had begun."""
        self.change: str | None = None
        """How the file has changed while it was read, after `run`: some of its rows may be of each content."""

    async def run(self) -> ImportResult:
        """Import the file to its end. Raises `ImportStalled`, `FileError`, and the errors of a producer."""
        found = await self.begin()
        batch = self._producer.batch(found.import_id)
        progress: BatchProgress | None = None
        while progress is None or not progress.has_ended:
            # Once, unless Redis loses what it had: then what is missing is enqueued again.
            await batch.create((CLOSE_IMPORT, CloseImport(import_id=found.import_id)))
            with suppress(BatchNotFound):
                await self._fill(batch)
                progress = await self._until(batch, _ended_or_lost)
        closed = await _answer(batch.completion(CLOSE_IMPORT), self._wait_s)
        self.found = closed.found or found
        return ImportResult(self.found, progress)

    async def result(self) -> ImportResult | None:
        """Return how far the import is, also after it was interrupted; None before it was begun."""
        if self.found is None:
            return None
        return ImportResult(self.found, await self._producer.batch(self.found.import_id).progress())

    async def begin(self) -> Import:
        """Begin the import, or find the one to continue; `run` does so by itself. Raises as it does."""
        self.found = self.found or await self._open()
        return self.found

    async def _open(self) -> Import:
        size, sha256 = file_digest(self._file.path)
        profile = profile_text(self._file.profile)
        decisive = [_FINGERPRINT_VERSION, sha256, profile, self._on_existing, self._file.strict]
        file = ImportedFile(name=shown_path(self._file.path), bytes=size, sha256=sha256, rows=self._file.rows_read)
        request = parse(
            OpenImport,
            {
                "import_id": new_import_id(self._file.path.name),
                "fingerprint": hashlib.sha256(json.dumps(decisive).encode()).hexdigest(),
                "file": file,
                "on_existing": self._on_existing,
                "source": self._file.source,
                "strict": self._file.strict,
                "profile": profile,
                "started_by": self._started_by,
            },
        )
        receipt = await self._producer.enqueue(OPEN_IMPORT, request)
        try:
            outcome = await _answer(receipt, self._wait_s)
        except (ImportStalled, asyncio.CancelledError):
            # Otherwise a worker that starts later would begin an import that nobody runs.
            await receipt.abort()
            raise
        self.resumed = outcome.status == "resumed"
        return outcome.found

    async def _fill(self, batch: Batch) -> None:
        """Enqueue the chunks that the batch does not have, and seal it; one that takes no jobs stays as it is."""
        # Somebody may cancel it meanwhile.
        with suppress(BatchClosed):
            while (await batch.progress()).state == "open":
                if await self._enqueue(batch):
                    await batch.seal()

    async def _enqueue(self, batch: Batch) -> bool:
        """Enqueue the chunks that the batch does not have, a few at a time; returns whether it has them all.

        It has not if Redis lost some of them meanwhile, as it may in a failover or a crash.
        """
        known = {job.job_id.rpartition(":")[2] async for job in batch.jobs()}
        rows = 0
        for number, chunk in enumerate(chunks_of(self._file)):
            if str(number) not in known:
                known.add(str(number))
                job = chunk.payload(batch.id, number, self._on_existing)
                await batch.add(INGEST_HOSPITALS, [job], keys=[str(number)])
                progress = await self._until(batch, _has_room)
                if progress.total < len(known):
                    return False
            rows += chunk.rows
            # Also when it is all known: otherwise nothing could interrupt this for as long as the file is read.
            await asyncio.sleep(0)
            self._on_progress(chunk.last_line)
        self.change = self._change(rows)
        return (await batch.progress()).total >= len(known)

    def _change(self, rows: int) -> str | None:
        """Return what differs between the file that was opened and the one of which so many rows were enqueued."""
        if self.found is None:
            return None
        opened = self.found.file
        try:
            size, sha256 = file_digest(self._file.path)
        except FileError as error:
            return f"the file has changed while it was read ({error}); {_LOAD_AGAIN}"
        if (rows, sha256) == (opened.rows, opened.sha256):
            return None
        return (
            f"the file has changed while it was read: it had {opened.rows:,} rows and {opened.bytes:,} bytes at "
            f"first, {rows:,} rows were sent, and it has {size:,} bytes now; {_LOAD_AGAIN}"
        )

    async def _until(self, batch: Batch, reached: Callable[[BatchProgress], bool]) -> BatchProgress:
        """Wait until the batch has come so far. Raises `ImportStalled` if none of its jobs ends for too long."""
        ended, since, delay = -1, time.monotonic(), _FIRST_POLL_S
        while True:
            progress = await batch.progress()
            if reached(progress):
                return progress
            if progress.ended != ended:
                ended, since, delay = progress.ended, time.monotonic(), _FIRST_POLL_S
            elif time.monotonic() - since > self._wait_s:
                raise ImportStalled(
                    f"no chunk of import {batch.id} has ended within {self._wait_s:g} s; start a worker"
                )
            await asyncio.sleep(delay)
            delay = min(_LONGEST_POLL_S, delay * 1.5)


def new_import_id(file_name: str) -> str:
    """Return a new id for the import of a file: the beginning of its name, the time, and some random letters."""
    stem = re.sub(r"[^a-z0-9]+", "-", file_name.partition(".")[0].lower()).strip("-")[:40] or "import"
    return f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


async def find_imports(
    producer: HospitalProducer, import_id: str | None, limit: int, wait_s: float
) -> list[Import]:
    """Return one import with its profile, or the latest ones. Raises the errors of a producer."""
    receipt = await producer.enqueue(FIND_IMPORTS, FindImports(import_id=import_id, limit=limit))
    return (await receipt.outcome(wait_s)).found


async def report_entries(producer: HospitalProducer, import_id: str, wait_s: float) -> AsyncIterator[ReportEntry]:
    """Yield what an import reports on its rows, in the order of the file's lines.

    Raises `ImportStalled` if no worker answers within `wait_s` seconds, and the errors of a producer.
    """
    first_chunk: int | None = 0
    while first_chunk is not None:
        request = ReadImportReport(import_id=import_id, first_chunk=first_chunk)
        page = await _answer(await producer.enqueue(READ_IMPORT_REPORT, request), wait_s)
        for entry in page.entries:
            yield entry
        first_chunk = page.next_chunk


async def _answer(receipt: Receipt[O_co], wait_s: float) -> O_co:
    try:
        return await receipt.outcome(wait_s)
    except TimeoutError:
        raise ImportStalled(f"no worker has answered within {wait_s:g} s; start a worker") from None


def _has_room(progress: BatchProgress) -> bool:
    """Whether one more chunk may be enqueued. A batch that is closed by now refuses it."""
    return progress.state != "open" or progress.total - progress.ended < _CHUNKS_IN_FLIGHT


def _ended_or_lost(progress: BatchProgress) -> bool:
    """Whether a batch that was sealed has ended, or Redis has lost that it was."""
    return progress.has_ended or progress.state == "open"
