"""The cron jobs of the workers: when each runs next, when it ran last and how that ended, and a run now."""

import re
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.contract.job_ends import PastEnd
from worker.monitoring.dashboard.access import LoggedIn, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.past import HISTORY_OFF, from_mongo
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.monitoring.history import latest_ends
from worker.monitoring.times import instant
from worker.queue.cron_jobs import KnownCronJob, read_cron_jobs, run_cron_job
from worker.queue.heartbeats import redis_time

router = APIRouter()
_MOST = 100
# In milliseconds since 1970.
_INSTANT = re.compile(r"[0-9]{1,13}")

Name = Annotated[str, Query(max_length=500)]


@router.get("/schedules")
async def show_schedules(request: Request, services: SharedServices, session: LoggedIn) -> Response:
    """Show the cron jobs of all workers."""
    cron_jobs = await _cron_jobs(services)
    now_ms = await _now_ms(services)
    shown = cron_jobs[:_MOST]
    ends, problem = await _ends(services, shown)
    return render(
        request,
        "schedules.html",
        rows=[_row(cron_job, ends.get(cron_job.name), now_ms) for cron_job in shown],
        most=_MOST,
        is_cut=len(cron_jobs) > _MOST,
        problem=problem,
        can_run=session.user.acts,
    )


@router.get("/schedules/run")
async def preview_run(
    request: Request, services: SharedServices, _session: Operator, name: Name = "", queue: Name = ""
) -> Response:
    """Ask whether a cron job shall run now."""
    cron_job = await _runnable(services, name, queue)
    return render(request, "schedule_run.html", cron_job=cron_job, asked_ms=await _now_ms(services))


@router.post("/schedules/run")
async def run_now(services: SharedServices, session: Operator, form: PostedForm) -> Response:
    """Enqueue a run of a cron job that is due now. A form that is sent twice enqueues one run."""
    cron_job = await _runnable(services, form.get("name", ""), form.get("queue", ""))
    asked = form.get("asked", "")
    asked_ms = int(asked) if _INSTANT.fullmatch(asked) else await _now_ms(services)
    await record(services, session, "run", "cron job", cron_job.name, form)
    job_id, state = await services.read(run_cron_job(services.redis, services.codec, cron_job, asked_ms))
    session.notice = (
        "The run was enqueued. Load the page again to see what became of it."
        if state == "new"
        else "Nothing was enqueued: this run was asked for before, or all runs of this cron job have this id. "
        f"A job of it is {state} already."
    )
    return RedirectResponse(f"/jobs?{urlencode({'id': job_id})}", status_code=303)


async def _now_ms(services: Services) -> int:
    return int((await services.read(redis_time(services.redis))).timestamp() * 1000)


async def _cron_jobs(services: Services) -> list[KnownCronJob]:
    return await services.read(read_cron_jobs(services.redis, tuple(services.settings.worker_queues)))


async def _runnable(services: Services, name: str, queue: str) -> KnownCronJob:
    """Return a cron job that a worker has. Raises `Problem` if none has it."""
    for cron_job in await _cron_jobs(services):
        if (cron_job.name, cron_job.queue) == (name, queue) and cron_job.workers:
            return cron_job
    raise Problem(
        409,
        "Not run",
        "No worker that runs has this cron job.",
        "Choose one from the page Schedules, or start a worker that has it.",
    )


async def _ends(services: Services, cron_jobs: list[KnownCronJob]) -> tuple[dict[str, PastEnd], str]:
    """Return how the latest run of each ended, and why that is not known, if it is not."""
    names = tuple(dict.fromkeys(cron_job.name for cron_job in cron_jobs))
    if not names:
        return {}, ""
    if not services.settings.worker_history_days:
        return {}, HISTORY_OFF
    ends, problem = await from_mongo(services, latest_ends(services.redis, services.mongo, names))
    return ends or {}, problem


def _row(cron_job: KnownCronJob, past: PastEnd | None, now_ms: float) -> dict[str, object]:
    return {
        "name": cron_job.name,
        "queue": cron_job.queue,
        "workers": cron_job.workers,
        "next": "" if cron_job.next_ms is None else instant(cron_job.next_ms, now_ms),
        "last": "" if cron_job.last_ms is None else instant(cron_job.last_ms, now_ms),
        "end": past.end if past else None,
        "ended": instant(past.end.ended_ms, now_ms) if past else "",
    }
