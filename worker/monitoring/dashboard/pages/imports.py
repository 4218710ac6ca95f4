"""Imports of files: the latest ones, how far one is, what became of its rows, and its cancellation."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import PurePath
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.contract import CLOSE_IMPORT, batch_job_id
from worker.contract.imports import Import, cells_left_out, rows_by_status
from worker.errors import BatchNotFound, RegistryError
from worker.mongo.imports import find_imports
from worker.monitoring.dashboard.access import LoggedIn, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.queue.batches import BatchProgress, BatchStore, is_batch_id
from worker.queue.heartbeats import redis_time
from worker.queue.import_counts import latest_counts
from worker.queue.scripts import Enqueue

router = APIRouter()
_LATEST = 50

ImportId = Annotated[str, Query(alias="id", max_length=200)]


@router.get("/imports")
async def list_imports(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Show the latest imports."""
    found = await services.read_mongo(find_imports(services.mongo, None, _LATEST))
    idle = await _idle(services, found.found)
    return render(request, "imports.html", imports=found.found, idle=idle, most=_LATEST)


@router.get("/import")
async def show_import(
    request: Request, services: SharedServices, session: LoggedIn, import_id: ImportId
) -> Response:
    """Show one import, with the counts of every fate of its rows so far."""
    found, progress = await find_import(services, import_id), await _progress(services, import_id)
    counts = latest_counts(found, progress)
    rows = rows_by_status(counts)
    return render(
        request,
        "import.html",
        found=found,
        progress=progress,
        rows={status.replace("_", " "): count for status, count in rows.items()},
        unaccounted=found.file.rows - sum(rows.values()),
        left_out={field.replace("_", " "): count for field, count in cells_left_out(counts).items()},
        is_idle=found.state == "running" and _is_idle(progress),
        is_absolute=PurePath(found.file.name).is_absolute(),
        can_cancel=session.user.acts and (_runs(progress) or _is_lost(found, progress)),
    )


@router.get("/import/cancel")
async def preview_cancel(
    request: Request, services: SharedServices, _session: Operator, import_id: ImportId
) -> Response:
    """Ask whether the waiting jobs of an import shall be dropped, with their number."""
    found, progress = await find_import(services, import_id), await _progress(services, import_id)
    waiting = progress.total - progress.ended if progress else 0
    return render(request, "import_cancel.html", found=found, waiting=waiting)


@router.post("/import/cancel")
async def cancel(services: SharedServices, session: Operator, form: PostedForm, import_id: ImportId) -> Response:
    """Drop the jobs of an import that wait. Those that run end, and rows that are stored stay."""
    progress, batches = await _progress(services, import_id), BatchStore(services.redis)
    # Of others MongoDB is not asked, so that they can be cancelled while it is unavailable.
    is_lost = progress is None and _is_lost(await find_import(services, import_id), progress)
    if is_lost or _runs(progress):
        await record(services, session, "cancel", "import", import_id, form)
        if is_lost:
            await services.read(batches.create(import_id, await _closing(services, import_id)))
        await services.read(batches.cancel(import_id))
        if _has_finished(await _progress(services, import_id)):
            session.notice = "There is nothing to cancel: its last chunk has ended meanwhile."
        else:
            session.notice = "The import was cancelled. Chunks that run end, and rows that are stored stay."
    else:
        session.notice = "There is nothing to cancel: none of its chunks waits or runs."
    return RedirectResponse(f"/import?{urlencode({'id': import_id})}", status_code=303)


def _runs(progress: BatchProgress | None) -> bool:
    return progress is not None and progress.state in ("open", "sealed")


def _has_finished(progress: BatchProgress | None) -> bool:
    return progress is not None and progress.state == "finished"


def _is_lost(found: Import, progress: BatchProgress | None) -> bool:
    """Whether Redis has nothing of an import that has not ended, so that it would never end by itself."""
    return progress is None and found.state == "running" and is_batch_id(found.import_id)


async def _closing(services: Services, import_id: str) -> Enqueue:
    """Return the job that ends an import, as its producer enqueues it with its batch."""
    job_id = batch_job_id(CLOSE_IMPORT, import_id)
    now_ms = int((await services.read(redis_time(services.redis))).timestamp() * 1000)
    call = {"f": CLOSE_IMPORT.name, "a": [{"import_id": import_id}], "et": now_ms, "b": import_id, "id": job_id}
    return Enqueue(job_id, CLOSE_IMPORT.queue, services.codec.encode(call))


def _is_idle(progress: BatchProgress | None) -> bool:
    """Whether an import waits for its producer, which may have been interrupted."""
    return progress is None or (progress.state == "open" and progress.ended == progress.total)


async def _idle(services: Services, imports: Iterable[Import]) -> set[str]:
    """Return the ids of those that have not ended although none of their chunks waits or runs.

    There are none while Redis is unavailable: the list itself is from MongoDB.
    """
    found = set()
    with suppress(RegistryError):
        for one in imports:
            if one.state == "running" and _is_idle(await _progress(services, one.import_id)):
                found.add(one.import_id)
    return found


async def find_import(services: Services, import_id: str) -> Import:
    """Return an import. Raises `Problem` if there is none of this id."""
    found = (await services.read_mongo(find_imports(services.mongo, import_id, 1))).found
    if not found:
        raise Problem(404, "No such import", "No import has this id.", "Choose one from the list of imports.")
    return found[0]


async def _progress(services: Services, import_id: str) -> BatchProgress | None:
    """Return how far the batch of an import is; `None` 30 days after it has ended."""
    try:
        return await services.read(BatchStore(services.redis).progress(import_id))
    except BatchNotFound:
        return None
