"""Imports of files: an upload begins one; how far it is, as events too; and its cancellation."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from typer.exceptions import TyperException

from producers.gateway.access import Enqueuer, Operator, Reader
from producers.gateway.acts import actor_of, record
from producers.gateway.answers import answer, to_json
from producers.gateway.guard import take_any_time, take_upload
from producers.gateway.outcomes import nothing_to_change
from producers.gateway.problems import HEADERS, Problem, invalid_field
from producers.gateway.queries import only_known_names
from producers.gateway.services import Services, SharedServices
from producers.gateway.shapes import ImportBegun, ImportShown, ImportsShown
from producers.gateway.spooled import file_name, spooled
from producers.gateway.streams import EVENTS, KEEP_ALIVE, KEEP_ALIVE_S, event
from producers.gateway.upload_options import UploadOptions
from worker.contract import CLOSE_IMPORT
from worker.contract.imports import (
    MOST_IMPORTS_LISTED,
    CloseImport,
    Import,
    ImportReportOutcome,
    cells_left_out,
    rows_by_status,
)
from worker.errors import BatchNotFound
from worker.mongo.imports import find_imports, read_report
from worker.queue.batches import BatchProgress, BatchStore, is_batch_id
from worker.queue.import_counts import latest_counts

router = APIRouter(tags=["imports"], dependencies=[Depends(only_known_names)])

_LOOK_S = 0.5
_ANY_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file as it is: any list that `hospital-producer ingest` reads, compressed or not",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_NDJSON = "application/x-ndjson"
_LINES: dict[int | str, dict[str, Any]] = {200: {"content": {_NDJSON: {"schema": {"type": "string"}}}}}

ImportId = Annotated[str, Path(max_length=200, examples=["list-20250630-120000-0f3a"])]


@router.post("/v1/imports", status_code=202, response_model=ImportBegun, openapi_extra=_ANY_FILE)
async def upload(
    request: Request,
    services: SharedServices,
    key: Enqueuer,
    options: Annotated[UploadOptions, Query()],
    content_disposition: Annotated[
        str | None, Header(description="such as `attachment; filename=list.csv`")
    ] = None,
) -> Response:
    """Import a list of hospitals. The answer comes once the import has begun."""
    name = file_name(content_disposition, options.name)
    try:
        options.wishes()
    except TyperException as error:
        raise invalid_field("map", error.format_message()) from None
    take_any_time(request)
    take_upload(request, services.settings.gateway_upload_bytes)
    with services.uploads.take_place() as place:
        async with spooled(request, name) as file:
            begun = await services.uploads.begin(place, file, options, actor_of(key))
    content = _summary(begun.found) | {"resumed": begun.resumed, "notes": begun.notes}
    location = f"{request.scope.get('root_path', '')}/v1/imports/{begun.found.import_id}"
    return answer(content, 202, {"Location": location})


@router.get("/v1/imports", response_model=ImportsShown)
async def list_imports(
    services: SharedServices, _key: Reader, limit: Annotated[int, Query(ge=1, le=MOST_IMPORTS_LISTED)] = 20
) -> Response:
    """List the latest imports, the newest first."""
    found = await services.read_mongo(find_imports(services.mongo, None, limit))
    return answer({"imports": [_summary(it) for it in found.found]})


@router.get("/v1/imports/{import_id}", response_model=ImportShown)
async def show_import(services: SharedServices, _key: Reader, import_id: ImportId) -> Response:
    """Show an import, and how far it is."""
    return answer(_shown(await _find(services, import_id), await _progress(services, import_id)))


@router.get("/v1/imports/{import_id}/report", response_class=Response, responses=_LINES)
async def send_report(request: Request, services: SharedServices, _key: Reader, import_id: ImportId) -> Response:
    """Send what became of each row that is not simply as it was asked for, one JSON object on a line."""
    await _find(services, import_id)
    # Before the answer begins, so that an outage is a problem and not half a report.
    first = await services.read_mongo(read_report(services.mongo, import_id, 0))
    take_any_time(request)
    return StreamingResponse(_lines(services, import_id, first), headers=HEADERS, media_type=_NDJSON)


@router.post("/v1/imports/{import_id}/cancel", status_code=202, response_model=ImportShown)
async def cancel(
    services: SharedServices,
    key: Operator,
    import_id: ImportId,
    reason: Annotated[str, Query(max_length=1_000, description="why, for the list of actions")] = "",
) -> Response:
    """Drop the jobs of an import that wait. Those that run end, and rows that are stored stay."""
    found, progress = await _find(services, import_id), await _progress(services, import_id)
    # Without a batch it is one that has just begun, or of which Redis has lost everything: it would go on later.
    is_lost = progress is None and found.state == "running" and is_batch_id(import_id)
    if not is_lost and (progress is None or progress.state not in ("open", "sealed")):
        raise nothing_to_change("There is nothing to cancel: none of its jobs waits or runs.")
    await record(services, key, "cancel", "import", import_id, reason)
    if is_lost:
        batch = services.producer.batch(import_id)
        await services.read(batch.create((CLOSE_IMPORT, CloseImport(import_id=import_id))))
    await services.read(BatchStore(services.redis).cancel(import_id))
    progress = await _progress(services, import_id)
    if progress is not None and progress.state == "finished":
        raise nothing_to_change("There is nothing to cancel: its last job has ended meanwhile.")
    return answer(_shown(found, progress), 202)


@router.get("/v1/events/imports/{import_id}", response_class=Response, responses=EVENTS)
async def stream_import(request: Request, services: SharedServices, _key: Reader, import_id: ImportId) -> Response:
    """Send the life of an import: an event `progress` for each change, and `ended` when it has ended."""
    found = await _find(services, import_id)
    take_any_time(request)
    return services.streams.answer(_life(services, found))


async def _life(services: Services, found: Import) -> AsyncGenerator[bytes, None]:
    shown, sent_at = "", time.monotonic()
    while True:
        progress = await _progress(services, found.import_id)
        if found.state == "running" and (progress is None or progress.has_ended):
            # Its last job notes the end in MongoDB.
            found = await _find(services, found.import_id)
        if found.state != "running":
            yield event("ended", _shown(found, progress))
            return
        if shown != (shown := repr(progress)):
            yield event("progress", _shown(found, progress))
            sent_at = time.monotonic()
        elif time.monotonic() - sent_at > KEEP_ALIVE_S:
            yield KEEP_ALIVE
            sent_at = time.monotonic()
        await asyncio.sleep(_LOOK_S)


async def _lines(services: Services, import_id: str, page: ImportReportOutcome) -> AsyncGenerator[bytes, None]:
    while True:
        for entry in page.entries:
            yield to_json(entry.model_dump(exclude_defaults=True)) + b"\n"
        if page.next_chunk is None:
            return
        page = await services.read_mongo(read_report(services.mongo, import_id, page.next_chunk))


async def _find(services: Services, import_id: str) -> Import:
    found = (await services.read_mongo(find_imports(services.mongo, import_id, 1))).found
    if not found:
        raise Problem(404, "not-found", "No import has this id.")
    return found[0]


async def _progress(services: Services, import_id: str) -> BatchProgress | None:
    """Return how far the batch of an import is; `None` before it is made, and 30 days after its end."""
    try:
        return await services.read(BatchStore(services.redis).progress(import_id))
    except BatchNotFound:
        return None


def _summary(found: Import) -> dict[str, Any]:
    return found.model_dump(exclude={"profile", "counts"})


def _shown(found: Import, progress: BatchProgress | None) -> dict[str, Any]:
    counts = latest_counts(found, progress)
    rows = rows_by_status(counts)
    jobs: dict[str, int] | None = None
    if progress is not None:
        jobs = {"total": progress.total} | {str(name): count for name, count in progress.outcomes.items()}
    return {
        **_summary(found),
        "rows": rows,
        "unaccounted": found.file.rows - sum(rows.values()),
        "left_out": cells_left_out(counts),
        "jobs": jobs,
    }
