"""Routes that enqueue a job, which read a request by themselves."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from producers.gateway.access import ENQUEUE
from producers.gateway.job_options import read_key, read_when
from producers.gateway.json_body import read_json
from worker.contract.validation import parse

_Enqueues = Callable[..., Awaitable[Response]]


class JobRoute(APIRoute):
    """A route whose function takes a request, its key, its body, when the job runs, and the idempotency key.

    FastAPI makes its part of the OpenAPI document from the function's signature, but does not call it: to find out
    for each request where these come from takes FastAPI longer than everything that they are for.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request. It raises `Problem` and `InvalidPayload`."""
        enqueue: _Enqueues = self.endpoint
        kind: type[BaseModel] = get_type_hints(enqueue)["body"]

        async def answer(request: Request) -> Response:
            key = ENQUEUE.key_of(request)
            # Before the body, which may be long.
            when, idempotency_key = read_when(request), read_key(request)
            body = parse(kind, await read_json(request))
            return await enqueue(request, key, body, when, idempotency_key)

        return answer
