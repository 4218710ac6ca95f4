"""Jobs: those that have ended, and one of them explained, with its timeline and its facts, and aborted."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.contract.job_ends import PastEnd
from worker.mongo.imports import find_imports
from worker.monitoring.aborting import NOT_ENDED, ask_for_abort
from worker.monitoring.dashboard.access import LoggedIn, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.pages.ended_jobs import Search, show_ended
from worker.monitoring.dashboard.past import HISTORY_OFF, from_mongo
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.monitoring.explain import explain
from worker.monitoring.history import ends_of, waiting_ends_of
from worker.monitoring.job_facts import JobFacts, read_job_facts
from worker.monitoring.shown_facts import in_words, shown_facts
from worker.monitoring.timeline import timeline
from worker.monitoring.times import instant

router = APIRouter()

JobId = Annotated[str, Query(alias="id", max_length=2_000)]


@router.get("/jobs")
async def show_jobs(
    request: Request,
    services: SharedServices,
    session: LoggedIn,
    search: Annotated[Search, Depends()],
    job_id: JobId = "",
) -> Response:
    """Show the job of an id, or without one the jobs that have ended."""
    job_id = job_id.strip()
    if not job_id:
        return await show_ended(request, services, search)
    facts = await services.read(_facts(services, job_id))
    ends, problem = await _past(services, facts)
    if facts.is_past:
        facts = replace(facts, ends=ends, has_history=not problem)
    explanation = explain(facts)
    shown = shown_facts(facts, explanation.state)
    words = {name.replace("_", " "): in_words(fact, facts.now_ms) for name, fact in shown.items()}
    batch = facts.batch.progress.batch_id if facts.batch else _latest(ends, "batch")
    return render(
        request,
        "job.html",
        status=404 if explanation.state == "unknown" else 200,
        job_id=job_id,
        explanation=explanation,
        problem=problem,
        moments=[(instant(at_ms, facts.now_ms), what) for at_ms, what in timeline(facts, ends)],
        batch=batch,
        is_import=bool(batch) and not problem and await _is_import(services, batch),
        hospital=_latest(ends, "hospital_id"),
        facts={name: text for name, text in words.items() if text},
        can_abort=session.user.acts and explanation.state in NOT_ENDED,
    )


@router.post("/jobs/abort")
async def abort(services: SharedServices, session: Operator, form: PostedForm, job_id: JobId) -> Response:
    """Ask the workers to abort a job."""
    facts = await services.read(_facts(services, job_id))
    explanation = explain(facts)
    if explanation.state in NOT_ENDED:
        await record(services, session, "abort", "job", job_id, form)
        await services.read(ask_for_abort(services.redis, facts, explanation.state))
        session.notice = "The abort was asked for. Load the page again to see what became of the job."
    else:
        session.notice = f"There is nothing to abort: the job {explanation.reason}."
    return RedirectResponse(f"/jobs?{urlencode({'id': job_id})}", status_code=303)


async def _facts(services: Services, job_id: str) -> JobFacts:
    return await read_job_facts(services.redis, services.codec, job_id, tuple(services.settings.worker_queues))


async def _past(services: Services, facts: JobFacts) -> tuple[tuple[PastEnd, ...], str]:
    """Return how the job has ended, as the history says, or why that is not known."""
    if facts.place is not None:
        # It waits or runs: Redis has what matters, also while MongoDB is unavailable.
        return (), ""
    if not services.settings.worker_history_days:
        return (), HISTORY_OFF if facts.is_past else ""
    ends, problem = await from_mongo(services, ends_of(services.redis, services.mongo, facts.job_id))
    return ends if ends is not None else await services.read(waiting_ends_of(services.redis, facts.job_id)), problem


async def _is_import(services: Services, batch_id: str) -> bool:
    found, _ = await from_mongo(services, find_imports(services.mongo, batch_id, 1))
    return found is not None and bool(found.found)


def _latest(ends: tuple[PastEnd, ...], field: str) -> str:
    return next((value for past in ends if (value := getattr(past.end, field))), "")
