"""The job that reads what an import reports on its rows."""

from typing import Any

from worker.contract.imports import ImportReportOutcome, ReadImportReport
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.mongo import imports


async def read_import_report(ctx: dict[str, Any], payload: dict[str, Any]) -> ImportReportOutcome:
    """Return a page of the report; see `worker.contract.imports.ReadImportReport`."""
    request = parse(ReadImportReport, payload)
    return await imports.read_report(current_run(ctx).context.mongo, request.import_id, request.first_chunk)
