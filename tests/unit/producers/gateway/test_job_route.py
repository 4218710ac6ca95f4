"""`JobRoute` answers as FastAPI would with the same function, only without its work for each request."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from producers.gateway.access import KEY, Enqueuer
from producers.gateway.job_options import IdempotencyKey, When
from producers.gateway.job_route import JobRoute
from producers.gateway.keys import ApiKey, Scope
from producers.gateway.problems import Problem


class Beds(BaseModel):
    beds: int


router = APIRouter(route_class=JobRoute)


@router.post("/beds")
async def count_beds(
    request: Request,
    key: Enqueuer,
    body: Beds,
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    return Response(f"{request.method} {key.owner} {body.beds} {when.delay} {idempotency_key}")


async def answer(*scopes: Scope, body: bytes = b'{"beds": 12}', query: bytes = b"") -> str:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    (route,) = router.routes
    assert isinstance(route, JobRoute)
    headers = [(b"content-type", b"application/json"), (b"idempotency-key", b"feed-1")]
    scope = {"type": "http", "method": "POST", "query_string": query, "headers": headers}
    key = ApiKey("clerk", frozenset(scopes), b"")
    response = await route.get_route_handler()(Request({**scope, "state": {KEY: key}}, receive))
    return bytes(response.body).decode()


async def test_the_function_gets_what_the_request_has() -> None:
    assert await answer("enqueue") == "POST clerk 12 None feed-1"
    assert await answer("read", "enqueue", query=b"delay=5") == "POST clerk 12 5.0 feed-1"


async def test_the_scope_is_checked_before_the_body() -> None:
    with pytest.raises(Problem) as refused:
        await answer("read", "operate", body=b"{")
    assert refused.value.code == "missing-scope"


async def test_the_query_is_checked_before_the_body() -> None:
    with pytest.raises(Problem) as refused:
        await answer("enqueue", body=b"{", query=b"sauce=moh")
    assert [it.path for it in refused.value.errors] == ["sauce"]
