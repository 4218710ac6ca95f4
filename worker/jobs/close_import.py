"""The job that ends an import: the completion job of its batch."""

from typing import Any

from worker.contract.imports import CloseImport, CloseImportOutcome
from worker.contract.validation import parse
from worker.errors import InvalidPayload, PayloadProblem
from worker.jobs.context import current_run
from worker.mongo import imports


async def close_import(ctx: dict[str, Any], payload: dict[str, Any]) -> CloseImportOutcome:
    """Note how an import ended; see `worker.contract.imports.CloseImport`.

    Raises `InvalidPayload` outside a batch: only the batch knows how its jobs ended.
    """
    request = parse(CloseImport, payload)
    batch = ctx.get("batch")
    if batch is None:
        raise InvalidPayload(CloseImport.__name__, [PayloadProblem("payload", "is not the completion of a batch")])
    progress = await batch.progress()
    return await imports.close_import(
        current_run(ctx).context.mongo,
        request.import_id,
        "cancelled" if progress.state in ("cancelled", "cancelling") else "finished",
        progress.counts,
        may_go_on=bool(progress.dead),
    )
