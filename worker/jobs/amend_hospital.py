"""The job that changes a registered hospital; the change is audited."""

from typing import Any

from worker.contract import AmendHospital, AmendmentOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run


async def amend_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> AmendmentOutcome:
    """Change a registered hospital and log it; see `worker.contract.AmendHospital`."""
    request = parse(AmendHospital, payload)
    run = current_run(ctx)
    run.about(request.hospital_id)
    return await run.context.registrations.amend(request, run.job_id, deadline=run.deadline)
