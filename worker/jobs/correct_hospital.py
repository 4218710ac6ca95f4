"""The job that changes a partial hospital."""

from typing import Any

from worker.contract import CorrectHospital, CorrectionOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.mongo import hospitals
from worker.mongo.answers import answer_once


async def correct_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> CorrectionOutcome:
    """Change fields of a partial hospital; see `worker.contract.CorrectHospital`."""
    request = parse(CorrectHospital, payload)
    run = current_run(ctx)
    run.about(request.hospital_id)
    mongo = run.context.mongo
    return await answer_once(
        mongo,
        run.job_id,
        request,
        CorrectionOutcome,
        lambda: hospitals.correct(mongo, request, run.job_id),
    )
