"""The job that says what an ingest of records would do."""

from typing import Any

from worker.contract.imports import PreviewHospitals, PreviewOutcome
from worker.contract.validation import parse
from worker.jobs.context import current_run
from worker.jobs.records import validated
from worker.mongo.previews import preview


async def preview_hospitals(ctx: dict[str, Any], payload: dict[str, Any]) -> PreviewOutcome:
    """Return what would become of records; see `worker.contract.imports.PreviewHospitals`."""
    request = parse(PreviewHospitals, payload)
    records = await validated(request.records)
    return await preview(
        current_run(ctx).context.mongo,
        records,
        request.on_existing,
        dict(enumerate(map(frozenset, request.unread))),
    )
