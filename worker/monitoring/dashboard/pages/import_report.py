"""The report of an import as a file: what became of each row that is not simply as it was asked for."""

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import structlog
from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from worker.contract.imports import ImportReportOutcome
from worker.mongo.imports import read_report
from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.pages.imports import ImportId, find_import
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.services import Services

router = APIRouter()
_log = structlog.stdlib.get_logger(__name__)


@router.get("/import/report")
async def download_report(services: SharedServices, session: LoggedIn, import_id: ImportId) -> Response:
    """Send the report as NDJSON, as `hospital-producer imports report` writes it. It has values of the list."""
    if not session.user.sees_payloads:
        raise Problem(
            403,
            "Refused",
            f"Your role is {session.user.role}: a report repeats values of the list.",
            "Ask an operator or an auditor for it.",
        )
    await find_import(services, import_id)
    # Before the answer begins, so that an outage is a page and not half a file.
    first = await _read(services, import_id, 0)
    _log.info("a report was sent", action="dashboard_report_sent", user=session.user.name, import_id=import_id)
    return StreamingResponse(
        _lines(services, import_id, first),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(import_id, safe='')}.report.ndjson"},
    )


async def _lines(services: Services, import_id: str, page: ImportReportOutcome) -> AsyncIterator[str]:
    while True:
        for entry in page.entries:
            yield json.dumps(entry.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False) + "\n"
        if page.next_chunk is None:
            return
        page = await _read(services, import_id, page.next_chunk)


async def _read(services: Services, import_id: str, first_chunk: int) -> ImportReportOutcome:
    return await services.read_mongo(read_report(services.mongo, import_id, first_chunk))
