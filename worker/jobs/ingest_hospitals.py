"""The job that ingests a chunk of a file."""

import asyncio
from collections import Counter
from typing import Any

from worker.contract import ChunkOutcome, HospitalRecord, IngestHospitals, Rejection
from worker.contract.validation import parse
from worker.errors import InvalidPayload
from worker.jobs.context import current_run
from worker.mongo.answers import answer_chunk_once
from worker.mongo.chunks import ingest_many

# Validating this many records takes a few milliseconds; then other jobs get a turn on the event loop.
_RECORDS_PER_TURN = 200


async def ingest_hospitals(ctx: dict[str, Any], payload: dict[str, Any]) -> ChunkOutcome:
    """Ingest up to 1,000 records, each independently of the others; see `worker.contract.IngestHospitals`."""
    request = parse(IngestHospitals, payload)
    run = current_run(ctx)
    records: list[HospitalRecord | Rejection] = []
    for index, raw in enumerate(request.records):
        if index % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
        records.append(_validated(index, raw))
    mongo = run.context.mongo
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
        ),
    )
    if (batch := ctx.get("batch")) is not None:
        for status, count in Counter(outcome.statuses).items():
            batch.count(status, count)
    return outcome


def _validated(index: int, raw: object) -> HospitalRecord | Rejection:
    try:
        return parse(HospitalRecord, raw, within=f"records[{index}]")
    except InvalidPayload as error:
        return Rejection(index=index, problems=[str(problem) for problem in error.problems])
