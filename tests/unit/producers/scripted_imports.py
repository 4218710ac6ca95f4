"""A test double of imports: their documents, their batches and their reports, as the worker would keep them."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from worker.contract import INGEST_HOSPITALS, ChunkOutcome, IngestHospitals
from worker.contract.imports import (
    LEFT_OUT,
    CloseImport,
    CloseImportOutcome,
    FindImports,
    Import,
    ImportReportOutcome,
    ImportsOutcome,
    OpenImport,
    OpenImportOutcome,
    ReadImportReport,
    ReportEntry,
)
from worker.errors import BatchNotFound
from worker.queue.batches import BatchJob, BatchProgress

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class ScriptedImports:
    """Answers the jobs about imports."""

    def __init__(self) -> None:
        self.documents: dict[str, Import] = {}
        self.fingerprints: dict[str, str] = {}
        self.entries: dict[str, list[ReportEntry]] = {}
        self._batches: dict[str, ScriptedBatch] = {}

    def batch(self, batch_id: str, producer: Any) -> "ScriptedBatch":
        return self._batches.setdefault(batch_id, ScriptedBatch(batch_id, producer))

    def answer(self, payload: Any) -> BaseModel | None:
        match payload:
            case OpenImport():
                known = self.fingerprints.setdefault(payload.fingerprint, payload.import_id)
                if known != payload.import_id and self.documents[known].state == "running":
                    return OpenImportOutcome(status="resumed", found=self.documents[known])
                self.fingerprints[payload.fingerprint] = payload.import_id
                document = Import(state="running", started_at=_NOW, **payload.model_dump(exclude={"fingerprint"}))
                self.documents[payload.import_id] = document
                return OpenImportOutcome(status="opened", found=document)
            case CloseImport(import_id=import_id):
                document = self.documents[import_id].model_copy(update={"state": "finished", "ended_at": _NOW})
                self.documents[import_id] = document
                return CloseImportOutcome(status="closed", found=document)
            case FindImports(import_id=import_id):
                return ImportsOutcome(
                    found=[it for it in self.documents.values() if import_id in (None, it.import_id)]
                )
            case ReadImportReport(import_id=import_id):
                return ImportReportOutcome(entries=self.entries.get(import_id, []))
        return None

    def report(self, payload: IngestHospitals, outcome: ChunkOutcome) -> None:
        lines = payload.lines or []
        entries = [
            ReportEntry(line=line, status=status)
            for line, status in zip(lines, outcome.statuses, strict=True)
            if status not in ("created", "merged", "replaced", "same")
        ]
        for row in payload.unread:
            status = "rejected" if row.reasons else outcome.statuses[lines.index(row.line)]
            entries.append(ReportEntry(line=row.line, status=status, reasons=row.reasons, left_out=row.left_out))
        known = self.entries.setdefault(str(payload.import_id), [])
        known += entries
        known.sort(key=lambda entry: entry.line)


class ScriptedBatch:
    """One batch, whose jobs are run when they are added."""

    def __init__(self, batch_id: str, producer: Any) -> None:
        self.id = batch_id
        self._producer = producer
        self._progress: BatchProgress | None = None
        self._counts: Counter[str] = Counter()
        self._jobs: dict[str, BatchJob] = {}
        self._payload: Any = None

    async def create(self, completion: tuple[Any, Any]) -> bool:
        self._payload = completion[1]
        if self._progress is None:
            self._progress = BatchProgress(batch_id=self.id, state="open", total=0, created_at=_NOW)
        return True

    async def progress(self) -> BatchProgress:
        if self._progress is None:
            raise BatchNotFound(self.id)
        return replace(self._progress, counts=dict(self._counts))

    async def add(self, spec: Any, payloads: list[Any], *, keys: list[str]) -> None:
        assert spec is INGEST_HOSPITALS
        for payload, key in zip(payloads, keys, strict=True):
            if key in self._jobs:
                continue
            receipt = await self._producer.enqueue(spec, payload, idempotency_key=f"{self.id}:{key}")
            progress = await self.progress()
            self._progress = replace(progress, total=progress.total + 1)
            outcome = await receipt.outcome(1)
            dead = outcome is None
            self._jobs[key] = BatchJob(receipt.job_id, "dead" if dead else "complete")
            progress = replace(await self.progress())
            self._progress = replace(progress, dead=progress.dead + dead, complete=progress.complete + (not dead))
            if not dead:
                self._counts.update(outcome.statuses)
                self._counts.update("rejected" for row in payload.unread if row.reasons)
                self._counts.update(LEFT_OUT + cell.field for row in payload.unread for cell in row.left_out)
                self._producer.imports.report(payload, outcome)

    async def seal(self) -> None:
        self._progress = replace(await self.progress(), state="finished", finished_at=_NOW)

    async def cancel(self) -> BatchProgress:
        self._progress = replace(await self.progress(), state="cancelled", finished_at=_NOW)
        return self._progress

    def lose(self, key: str) -> None:
        """Forget a job that has ended, as a Redis does that fails over to a replica."""
        del self._jobs[key]
        assert self._progress is not None
        self._progress = replace(
            self._progress, total=self._progress.total - 1, complete=self._progress.complete - 1
        )

    async def jobs(self) -> Any:
        for job in self._jobs.values():
            yield job

    def completion(self, spec: Any) -> Any:
        return _Completion(self._producer, self._payload)


class _Completion:
    def __init__(self, producer: Any, payload: Any) -> None:
        self._producer = producer
        self._payload = payload

    async def outcome(self, timeout: float) -> Any:
        return self._producer.imports.answer(self._payload)
