"""Ingests a file of hospitals in chunks, as the demo does."""

from dataclasses import asdict, dataclass

from producers.console import ProgressCallback
from producers.files import FileRow, HospitalFile, RejectWriter
from producers.loading import FileLoad, FileSummary, OutcomeSource, Producer
from worker.contract import INGEST_HOSPITALS, MAX_CHUNK_RECORDS, ChunkOutcome, IngestHospitals, OnExisting

# Enough to keep four workers busy while the next chunks are read, with at most 8,000 rows in memory.
_CHUNKS_IN_FLIGHT = 8
_UNCHANGED = ("same", "kept", "newer_stored", "registered")


@dataclass(frozen=True, kw_only=True)
class LoadSummary(FileSummary):
    """The result of ingesting a file, in rows."""

    created: int
    merged: int
    unchanged: int


class IngestLoad(FileLoad[ChunkOutcome]):
    """Ingests a file in chunks of 1,000 rows through the bulk queue."""

    def __init__(
        self,
        producer: Producer,
        file: HospitalFile,
        rejects: RejectWriter,
        *,
        on_existing: OnExisting = "keep",
        wait: float,
        on_progress: ProgressCallback,
    ) -> None:
        """`wait` is the number of seconds to wait for the outcome of one chunk."""
        super().__init__(
            file,
            rejects,
            rows_per_job=MAX_CHUNK_RECORDS,
            jobs_in_flight=_CHUNKS_IN_FLIGHT,
            wait=wait,
            on_progress=on_progress,
        )
        self._producer = producer
        self._on_existing = on_existing

    def summary(self) -> LoadSummary:
        """Return the counts so far: during the run, after it, or after it was cancelled."""
        return LoadSummary(
            **asdict(self._file_summary()),
            created=self._statuses["created"],
            merged=self._statuses["merged"],
            unchanged=sum(self._statuses[status] for status in _UNCHANGED),
        )

    async def _send(self, rows: list[FileRow]) -> OutcomeSource[ChunkOutcome]:
        # This costs a fraction of `model_dump`; the codec converts instants and points to JSON.
        records = [
            {name: value for name, value in vars(row.record).items() if value is not None}
            for row in rows
            if row.record is not None
        ]
        return await self._producer.enqueue(
            INGEST_HOSPITALS, IngestHospitals(records=records, on_existing=self._on_existing)
        )

    def _count(self, rows: list[FileRow], outcome: ChunkOutcome) -> None:
        problems = {rejection.index: rejection.problems for rejection in outcome.rejections}
        # If the outcome has too few statuses, the rows without one count as `lost`.
        self._lost += len(rows) - min(len(rows), len(outcome.statuses))
        for index, (row, status) in enumerate(zip(rows, outcome.statuses, strict=False)):
            rejected = status in ("collision", "conflict", "rejected")
            self._statuses["rejected" if rejected else status] += 1
            if rejected:
                self._rejects.write(row, tuple(problems.get(index, ["rejected by the worker"])))
