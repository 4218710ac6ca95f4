"""The job that removes a partial hospital."""

from typing import Any

from worker.contract import DiscardHospital, DiscardOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.mongo import hospitals
from worker.mongo.answers import answer_once


async def discard_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> DiscardOutcome:
    """Remove a partial hospital; see `worker.contract.DiscardHospital`."""
    request = parse(DiscardHospital, payload)
    run = current_run(ctx)
    run.about(request.hospital_id)
    mongo = run.context.mongo
    return await answer_once(
        mongo,
        run.job_id,
        request,
        DiscardOutcome,
        lambda: hospitals.discard(mongo, request, run.job_id),
    )
