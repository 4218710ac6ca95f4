"""The job that ingests a chunk of a file."""

from collections import Counter
from typing import Any

from worker.contract import ChunkOutcome, IngestHospitals
from worker.contract.imports import LEFT_OUT
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.jobs.records import validated
from worker.mongo.answers import answer_chunk_once
from worker.mongo.chunks import ingest_many
from worker.mongo.imports import write_report


async def ingest_hospitals(ctx: dict[str, Any], payload: dict[str, Any]) -> ChunkOutcome:
    """Ingest up to 1,000 records, each independently of the others; see `worker.contract.IngestHospitals`."""
    request = parse(IngestHospitals, payload)
    run = current_run(ctx)
    mongo = run.context.mongo
    records = await validated(request.records)
    outcome = await answer_chunk_once(
        mongo,
        run.job_id,
        lambda: ingest_many(
            mongo,
            records,
            request.on_existing,
            run.job_id,
            import_id=request.import_id,
            lines=request.lines,
            unread=_unread(request),
            collided=request.collided,
        ),
    )
    await write_report(mongo, request, outcome)
    if (batch := ctx.get("batch")) is not None:
        for name, count in _counts(request, outcome).items():
            batch.count(name, count)
    return outcome


def _unread(request: IngestHospitals) -> dict[int, frozenset[str]]:
    """Return the fields that could not be read, by the index of the record."""
    by_line = {row.line: row.unread_fields for row in request.unread if row.left_out}
    return {index: by_line[line] for index, line in enumerate(request.lines or ()) if line in by_line}


def _counts(request: IngestHospitals, outcome: ChunkOutcome) -> Counter[str]:
    """Return what the chunk adds to the counters of its import: rows by status, and cells left out by field."""
    counts: Counter[str] = Counter(outcome.statuses)
    for row in request.unread:
        if row.reasons:
            counts["rejected"] += 1
        for cell in row.left_out:
            field = cell.field.partition(".")[0]
            counts[LEFT_OUT + field] += 1
    return counts
