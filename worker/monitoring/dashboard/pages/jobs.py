"""One job: found by its id, explained, with its facts, and aborted."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.monitoring.aborting import NOT_ENDED, ask_for_abort
from worker.monitoring.dashboard.access import LoggedIn, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.monitoring.explain import explain
from worker.monitoring.job_facts import JobFacts, read_job_facts
from worker.monitoring.shown_facts import in_words, shown_facts

router = APIRouter()

JobId = Annotated[str, Query(alias="id", max_length=2_000)]


@router.get("/jobs")
async def find_job(request: Request, services: SharedServices, session: LoggedIn, job_id: JobId = "") -> Response:
    """Show the form that finds a job, and the job of that id."""
    job_id = job_id.strip()
    if not job_id:
        return render(request, "jobs.html")
    facts = await services.read(_facts(services, job_id))
    explanation = explain(facts)
    shown = shown_facts(facts, explanation.state)
    words = {name.replace("_", " "): in_words(fact, facts.now_ms) for name, fact in shown.items()}
    return render(
        request,
        "job.html",
        status=404 if explanation.state == "unknown" else 200,
        job_id=job_id,
        explanation=explanation,
        facts={name: text for name, text in words.items() if text},
        can_abort=session.user.acts and explanation.state in NOT_ENDED,
    )


@router.post("/jobs/abort")
async def abort(services: SharedServices, session: Operator, _form: PostedForm, job_id: JobId) -> Response:
    """Ask the workers to abort a job."""
    facts = await services.read(_facts(services, job_id))
    explanation = explain(facts)
    if explanation.state in NOT_ENDED:
        await record(services, session, "abort", "job", job_id)
        await services.read(ask_for_abort(services.redis, facts, explanation.state))
        session.notice = "The abort was asked for. Load the page again to see what became of the job."
    else:
        session.notice = f"There is nothing to abort: the job {explanation.reason}."
    return RedirectResponse(f"/jobs?{urlencode({'id': job_id})}", status_code=303)


async def _facts(services: Services, job_id: str) -> JobFacts:
    return await read_job_facts(services.redis, services.codec, job_id, tuple(services.settings.worker_queues))
