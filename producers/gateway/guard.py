"""What every request passes before the application: its key, its rate, its time, and the size of its body."""

import asyncio
import math
from typing import cast

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.access import KEY
from producers.gateway.keys import ApiKey, Keys
from producers.gateway.problems import Problem
from producers.gateway.rates import Rates
from worker.settings import Settings

OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/v1/openapi.json"})
"""What says nothing that is not for everybody."""
_TIME_LIMIT = "time_limit"
_BODY_LIMIT = "body_limit"


class Guard:
    """Answers what must not reach the application, and ends what takes too long there.

    FastAPI reads a body before it asks who sent it, so keys are looked at here.
    """

    def __init__(self, app: ASGIApp, settings: Settings, keys: Keys) -> None:
        self._app = app
        self._keys = keys
        self._rates = Rates(settings.gateway_rate)
        self._most_bytes = settings.gateway_body_bytes
        self._seconds = settings.gateway_request_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        body = state[_BODY_LIMIT] = _BodyLimit(receive, headers, self._most_bytes)
        time_limit = state[_TIME_LIMIT] = asyncio.timeout(self._seconds)
        try:
            if scope["path"] not in OPEN_PATHS:
                state[KEY] = self._admit(headers)
            async with time_limit:
                await self._app(scope, body.receive, sending)
        except Problem as problem:
            await problem.response()(scope, receive, send)
        except TimeoutError:
            # An answer that has begun is cut off, so that it does not look whole.
            if started or not time_limit.expired():
                raise
            await _too_slow(self._seconds).response()(scope, receive, send)

    def _admit(self, headers: Headers) -> ApiKey:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        key = self._keys.find(given.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Problem(
                401,
                "invalid-key",
                "Send a key of GATEWAY_KEYS in the header Authorization: Bearer KEY",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if wait_s := self._rates.wait_s(key):
            raise Problem(
                429,
                "too-many-requests",
                "This key has made too many requests (GATEWAY_RATE).",
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
        return key


class _BodyLimit:
    """Passes on what a client sends, and counts the bytes of the body."""

    def __init__(self, receive: Receive, headers: Headers, most: int) -> None:
        self._receive = receive
        announced = headers.get("Content-Length", "")
        self._announced = int(announced) if announced.isdecimal() else 0
        self._received = 0
        self.most = most

    async def receive(self) -> Message:
        """Return what the client sends next. Raises `Problem` if the body is, or says that it is, too large."""
        self._check(self._announced)
        message = await self._receive()
        self._received += len(message.get("body", b""))
        self._check(self._received)
        return message

    def _check(self, size: int) -> None:
        if size > self.most:
            raise Problem(413, "too-large", f"The body has more than {self.most:,} bytes.")


def wait_longer(request: Request, seconds: float) -> None:
    """Let a request take so many seconds more, because it asks to wait."""
    limit = cast(asyncio.Timeout, request.scope["state"][_TIME_LIMIT])
    limit.reschedule((limit.when() or 0) + seconds)


def take_any_time(request: Request) -> None:
    """Let a request take any time: what it does ends by itself, or when its client leaves."""
    cast(asyncio.Timeout, request.scope["state"][_TIME_LIMIT]).reschedule(None)


def take_upload(request: Request, most_bytes: int) -> None:
    """Let a request have a body of so many bytes, if none of it was read."""
    cast(_BodyLimit, request.scope["state"][_BODY_LIMIT]).most = most_bytes


def _too_slow(seconds: float) -> Problem:
    return Problem(
        504,
        "too-slow",
        f"The request has taken more than {seconds:g} s (GATEWAY_REQUEST_TIMEOUT). What it asked for may have been "
        "done: repeat it with the same Idempotency-Key.",
    )
