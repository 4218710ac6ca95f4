"""The job that ingests one record from a feed."""

from typing import Any

from worker.contract import IngestHospital, IngestOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.mongo import hospitals
from worker.mongo.answers import answer_once


async def ingest_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> IngestOutcome:
    """Insert the hospital if it is absent; see `worker.contract.IngestHospital`."""
    request = parse(IngestHospital, payload)
    run = current_run(ctx)
    run.about(request.record.hospital_id)
    mongo = run.context.mongo
    return await answer_once(
        mongo,
        run.job_id,
        request.record,
        IngestOutcome,
        lambda: hospitals.ingest(mongo, request.record, request.on_existing, run.job_id),
    )
