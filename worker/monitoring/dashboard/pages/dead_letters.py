"""Dead letters: the list, one of them, and what an operator does with it."""

from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.monitoring.dashboard.access import LoggedIn, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.masking import payload_text
from worker.monitoring.dashboard.pages.jobs import JobId
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.monitoring.times import instant
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_pages import read_dead_letters
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore, StoredDeadLetter
from worker.queue.heartbeats import redis_time

router = APIRouter()
_log = structlog.stdlib.get_logger(__name__)
_PAGE = 50
# Only if nothing else is to be said: the first of two clicks has said what it did.
_GONE = "It is no dead letter any more: it was retried or discarded before."

Filter = Annotated[str, Query(max_length=500)]


@router.get("/dead")
async def list_dead_letters(
    request: Request,
    services: SharedServices,
    _session: LoggedIn,
    function: Filter = "",
    error: Filter = "",
    after: Annotated[str, Query(max_length=5_000)] = "",
) -> Response:
    """Show dead letters, newest first."""
    function, error, redis = function.strip(), error.strip(), services.redis
    page = await services.read(read_dead_letters(redis, after, _PAGE, function=function, error=error))
    now_ms = (await services.read(redis_time(redis))).timestamp() * 1000
    return render(
        request,
        "dead_letters.html",
        count=await services.read(redis.hlen(keys.DEAD)),
        rows=[(listed.dead_letter, instant(listed.at_ms, now_ms)) for listed in page.listed],
        function=function,
        error=error,
        after=after,
        more=urlencode({"function": function, "error": error, "after": page.cursor}) if page.cursor else "",
    )


@router.get("/dead/letter")
async def show_dead_letter(
    request: Request, services: SharedServices, session: LoggedIn, job_id: JobId
) -> Response:
    """Show one dead letter; payload and message are masked for a viewer."""
    dead_letter = await find_dead_letter(services, job_id)
    now_ms = (await services.read(redis_time(services.redis))).timestamp() * 1000
    user = session.user
    if user.sees_payloads and dead_letter.has_payload:
        _log.info("a payload was shown", action="dashboard_payload_shown", user=user.name, job_id=job_id)
    return render(
        request,
        "dead_letter.html",
        job_id=job_id,
        letter=dead_letter,
        history=[(failure, instant(failure.at_ms, now_ms)) for failure in dead_letter.history[-_PAGE:]],
        at=instant(dead_letter.failure.at_ms, now_ms),
        payload=payload_text(services.codec, dead_letter.envelope, whole=user.sees_payloads)
        if dead_letter.payload
        else "",
    )


@router.post("/dead/retry")
async def retry(services: SharedServices, session: Operator, form: PostedForm, job_id: JobId) -> Response:
    """Put a dead letter back on its queue."""
    stored = await _chosen(services, job_id, form)
    if stored is None:
        session.notice = session.notice or _GONE
        return _page_of_job(job_id)
    return await retry_letter(services, session, stored.dead_letter, form)


@router.get("/dead/discard")
async def preview_discard(
    request: Request, services: SharedServices, _session: Operator, job_id: JobId
) -> Response:
    """Ask whether a dead letter shall be deleted."""
    return render(request, "discard.html", job_id=job_id, letter=await find_dead_letter(services, job_id))


@router.post("/dead/discard")
async def discard(services: SharedServices, session: Operator, form: PostedForm, job_id: JobId) -> Response:
    """Delete a dead letter, unless it has changed since it was shown."""
    stored = await _chosen(services, job_id, form)
    if stored is None:
        session.notice = session.notice or _GONE
        return RedirectResponse("/dead", status_code=303)
    await record(services, session, "discard", "dead letters", job_id, form)
    if await services.read(DeadLetterStore(services.redis).discard_unchanged([stored])):
        session.notice = "The dead letter was discarded."
    elif await _chosen(services, job_id, form) is None:
        session.notice = session.notice or _GONE
    else:
        raise _changed()
    return RedirectResponse("/dead", status_code=303)


async def _chosen(services: Services, job_id: str, form: PostedForm) -> StoredDeadLetter | None:
    """Return the dead letter that a form is about; `None` if it is none any more.

    Raises `Problem` if its job has died anew, or its arguments were edited, since it was shown: the user has not
    seen that.
    """
    try:
        stored = await services.read(DeadLetterStore(services.redis).find(job_id))
    except DeadLetterNotFound:
        return None
    at_ms, digest = str(stored.dead_letter.failure.at_ms), stored.dead_letter.payload_digest
    if form.get("failed", at_ms) == at_ms and form.get("digest", digest) == digest:
        return stored
    raise _changed()


def _changed() -> Problem:
    return Problem(
        409,
        "Changed meanwhile",
        "Somebody edited this dead letter, or retried it and its job has failed again since, so nothing was done.",
        "Open it again, and look at its new error.",
    )


async def retry_letter(
    services: Services, session: Operator, dead_letter: DeadLetter, form: PostedForm
) -> Response:
    """Retry a dead letter and show its job; if it cannot be retried, the next page says so."""
    await record(services, session, "retry", "dead letters", dead_letter.job_id, form)
    count = await services.read(DeadLetterStore(services.redis).retry([dead_letter]))
    session.notice = (
        "The dead letter was retried: the job is on its queue again."
        if count
        else session.notice
        or "It was not retried: it has no payload, is no dead letter any more, or a job of this id waits or runs."
    )
    return _page_of_job(dead_letter.job_id)


async def find_dead_letter(services: Services, job_id: str) -> DeadLetter:
    """Return a dead letter with its payload. Raises `Problem` if there is none of this id."""
    try:
        return await services.read(DeadLetterStore(services.redis).get(job_id))
    except DeadLetterNotFound:
        raise Problem(
            404,
            "No such dead letter",
            "It was retried or discarded, or never was one.",
            "Look for the job by its id on the page Jobs, or go back to the list of dead letters.",
        ) from None


def _page_of_job(job_id: str) -> Response:
    return RedirectResponse(f"/jobs?{urlencode({'id': job_id})}", status_code=303)
