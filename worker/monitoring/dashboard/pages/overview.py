"""The overview: a verdict in words, charts, and the stream that keeps both up to date."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.charts import line_chart
from worker.monitoring.dashboard.rendering import render, render_part
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.streams import stream
from worker.monitoring.dashboard.watcher import Look
from worker.monitoring.verdict import Finding, Verdict, verdict

router = APIRouter()


@router.get("/")
async def show_overview(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Show the state at this moment."""
    return render(request, "overview.html", **_shown(services, await services.watcher.look()))


@router.get("/live")
async def stream_overview(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Send the parts of the overview after each look, until the session ends."""
    return stream(request, services, _parts(services))


async def _parts(services: Services) -> AsyncGenerator[str, None]:
    number = 0
    while True:
        look = await services.watcher.after(number)
        number = look.number
        yield render_part("overview_parts.html", **_shown(services, look))


def _shown(services: Services, look: Look) -> dict[str, Any]:
    watcher = services.watcher
    # A page that is loaded soon after a look may show a queue that has no series yet.
    series = {name: watcher.waiting.get(name, ()) for name in (look.stats.queues if look.stats else ())}
    return {
        "at": f"{look.at:%Y-%m-%d %H:%M:%S} UTC",
        "verdict": verdict(look.stats) if look.stats else _of_outage(look),
        "stats": look.stats,
        "charts": {name: line_chart(waiting, f"waiting on {name}") for name, waiting in series.items()},
        "rate": line_chart(watcher.ended_per_s, "jobs ended per second"),
    }


def _of_outage(look: Look) -> Verdict:
    to_do = "restore Redis: workers and this page come back automatically"
    return Verdict("down", "Redis is unavailable.", [Finding("down", look.problem, to_do)])
