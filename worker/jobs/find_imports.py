"""The job that looks up imports, for producers, which do not reach MongoDB."""

from typing import Any

from worker.contract.imports import FindImports, ImportsOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.mongo import imports


async def find_imports(ctx: dict[str, Any], payload: dict[str, Any]) -> ImportsOutcome:
    """Return imports; see `worker.contract.imports.FindImports`."""
    request = parse(FindImports, payload)
    return await imports.find_imports(current_run(ctx).context.mongo, request.import_id, request.limit)
