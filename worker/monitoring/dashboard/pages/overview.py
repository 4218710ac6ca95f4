"""The overview: a verdict in words, charts, and the stream that keeps both up to date."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.charts import line_chart
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render, render_part
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.watcher import Look
from worker.monitoring.verdict import Finding, Verdict, verdict

router = APIRouter()
_MOST_STREAMS = 50
_STREAMS = "streams"


@router.get("/")
async def show_overview(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Show the state at this moment."""
    return render(request, "overview.html", **_shown(services, await services.watcher.look()))


@router.get("/live")
async def stream(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Send the parts of the overview after each look, until the session ends."""
    open_streams: set[object] = request.app.state.__dict__.setdefault(_STREAMS, set())
    if len(open_streams) >= _MOST_STREAMS:
        raise Problem(
            503, "Too many live pages", f"{_MOST_STREAMS} are open.", "Close some, or load the page again."
        )
    token = request.cookies.get(services.session_cookie, "")

    async def events() -> AsyncIterator[str]:
        this = object()
        open_streams.add(this)
        number = 0
        try:
            while services.sessions.find(token, is_use=False):
                look = await services.watcher.after(number)
                number = look.number
                yield f"data: {json.dumps(render_part('overview_parts.html', **_shown(services, look)))}\n\n"
            yield "event: ended\ndata: \n\n"
        finally:
            open_streams.discard(this)

    return StreamingResponse(events(), media_type="text/event-stream")


def _shown(services: Services, look: Look) -> dict[str, Any]:
    watcher = services.watcher
    return {
        "at": f"{look.at:%Y-%m-%d %H:%M:%S} UTC",
        "verdict": verdict(look.stats) if look.stats else _of_outage(look),
        "stats": look.stats,
        "charts": {name: line_chart(waiting, f"waiting on {name}") for name, waiting in watcher.waiting.items()},
        "rate": line_chart(watcher.ended_per_s, "jobs ended per second"),
    }


def _of_outage(look: Look) -> Verdict:
    to_do = "restore Redis: workers and this page come back automatically"
    return Verdict("down", "Redis is unavailable.", [Finding("down", look.problem, to_do)])
