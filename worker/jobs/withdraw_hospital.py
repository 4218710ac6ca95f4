"""The job that removes a registered hospital; the removal is audited."""

from typing import Any

from worker.contract import WithdrawalOutcome, WithdrawHospital
from worker.contract.validation import parse
from worker.jobs.context import current_run


async def withdraw_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> WithdrawalOutcome:
    """Remove a registered hospital and log its last state; see `worker.contract.WithdrawHospital`."""
    request = parse(WithdrawHospital, payload)
    run = current_run(ctx)
    run.about(request.hospital_id)
    return await run.context.registrations.withdraw(request, run.job_id, deadline=run.deadline)
