"""Parts of a page that are sent again and again while it is open."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from worker.monitoring.dashboard.problems import SESSION_ENDED, Problem
from worker.monitoring.dashboard.services import Services

_MOST_STREAMS = 50
_STREAMS = "streams"


def stream(request: Request, services: Services, parts: AsyncGenerator[str, None]) -> Response:
    """Send parts until there are no more, or the session ends. Raises `Problem` if too many pages are open."""
    open_streams: set[object] = request.app.state.__dict__.setdefault(_STREAMS, set())
    if len(open_streams) >= _MOST_STREAMS:
        raise Problem(
            503, "Too many live pages", f"{_MOST_STREAMS} are open.", "Close some, or load the page again."
        )
    token = request.cookies.get(services.session_cookie, "")

    async def events() -> AsyncIterator[str]:
        this = object()
        open_streams.add(this)
        try:
            async with aclosing(parts):
                async for part in parts:
                    if not services.sessions.find(token, is_use=False):
                        yield SESSION_ENDED
                        return
                    yield f"data: {json.dumps(part)}\n\n"
            yield "event: done\ndata: \n\n"
        finally:
            open_streams.discard(this)

    # Otherwise nginx would keep what it receives until it has some kilobytes of it.
    return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
