"""The job that registers a hospital, audited."""

from typing import Any

from worker.contract import RegisterHospital, RegistrationOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run


async def register_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> RegistrationOutcome:
    """Register a hospital and log it; see `worker.contract.RegisterHospital`."""
    order = parse(RegisterHospital, payload)
    run = current_run(ctx)
    return await run.context.registrations.register(order, run.job_id, deadline=run.deadline)
