"""The job that begins the import of a file."""

from typing import Any

from worker.contract.imports import OpenImport, OpenImportOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.mongo import imports


async def open_import(ctx: dict[str, Any], payload: dict[str, Any]) -> OpenImportOutcome:
    """Begin an import, or find the one that has not ended; see `worker.contract.imports.OpenImport`."""
    request = parse(OpenImport, payload)
    return await imports.open_import(current_run(ctx).context.mongo, request)
