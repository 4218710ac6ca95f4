"""The job that registers a hospital; the registration is audited."""

from typing import Any

from worker.contract import RegisterHospital, RegistrationOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run


async def register_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> RegistrationOutcome:
    """Register a hospital and log it; see `worker.contract.RegisterHospital`."""
    request = parse(RegisterHospital, payload)
    run = current_run(ctx)
    run.about(request.record.hospital_id)
    return await run.context.registrations.register(request, run.job_id, deadline=run.deadline)
