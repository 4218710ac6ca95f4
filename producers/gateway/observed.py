"""Counts every request, and gives every answer its headers."""

import time
from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.problems import HEADERS
from producers.gateway.services import Services


class Observed:
    """Stands around everything else, so that it sees refused requests too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        finally:
            services = cast(Services, scope["app"].state.services)
            # Not the address, which has ids.
            route = getattr(scope.get("route"), "path", "none")
            services.metrics.answered(route, scope["method"], status, time.monotonic() - began)
