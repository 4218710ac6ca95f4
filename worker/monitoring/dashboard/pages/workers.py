"""The workers, as their heartbeats say it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.rendering import render
from worker.queue.heartbeats import read_heartbeats, redis_time

router = APIRouter()
_MOST = 200


@router.get("/workers")
async def show_workers(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Show the workers that were heard within the last hour, the ones heard last first."""
    now = await services.read(redis_time(services.redis))
    workers = await services.read(read_heartbeats(services.redis))
    rows = sorted(((worker, worker.age_s(now)) for worker in workers), key=lambda row: row[1])
    return render(request, "workers.html", rows=rows[:_MOST], more=max(0, len(rows) - _MOST))
