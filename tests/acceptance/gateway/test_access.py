"""Who may do what."""

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from producers.gateway.guard import OPEN_PATHS
from producers.gateway.problems import HEADERS
from producers.gateway.routes import ROUTERS
from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import OWNERS, Gateway
from worker.queue import keys

# What each method of each route needs.
SCOPES = {"POST /v1/imports/{import_id}/cancel": "operate", "DELETE": "operate", "POST": "enqueue", "GET": "read"}


def routes() -> Iterator[tuple[str, str]]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                yield method, route.path_format


CLOSED = sorted(route for route in routes() if route[1] not in OPEN_PATHS)


def test_there_are_routes() -> None:
    assert len(CLOSED) >= 20


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_nothing_is_for_those_without_a_key(site: Site, gateway: Gateway, method: str) -> None:
    client = await gateway.client()
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "é"}):
        for path in [path for named, path in CLOSED if named == method] + ["/", "/nowhere", "/v1/openapi.json/"]:
            answer = await client.request(method, path, headers={k.encode(): v.encode() for k, v in header.items()})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid-key"), path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("owner", [owner for owner, scopes in OWNERS.items() if len(scopes) == 1])
async def test_a_key_does_what_its_scope_says_and_nothing_else(site: Site, gateway: Gateway, owner: str) -> None:
    client = await gateway.client(owner)
    (scope,) = OWNERS[owner]
    bodies = {"POST": {"record": {"hospital_name": "x"}, "hospital_id": "x", "changes": {"beds": 1}}}
    for method, path in CLOSED:
        needed = SCOPES.get(f"{method} {path}", SCOPES[method])
        body = bodies.get(method, {}) | ({"revision": 1} if "discard" in path or "correct" in path else {})
        answer = await client.request(method, path, json=body if method == "POST" else None)
        if needed == scope:
            assert answer.status_code not in (401, 403), path
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "missing-scope"), path
    if owner != "feeder":
        assert await site.redis.zcard("arq:queue") == 0
    assert not await site.redis.exists(keys.ACTIONS)


async def test_a_parameter_that_no_route_knows_is_refused(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("boss")
    asked = [(method, path) for method, path in CLOSED if path != "/metrics"]
    assert len(asked) >= 18
    for method, path in asked:
        answer = await client.request(method, path, params={"sauce": "moh"})
        assert answer.status_code == 422, path
        assert answer.json()["errors"] == [{"field": "sauce", "reason": "unknown parameter"}], path
    twice = await client.get("/v1/hospitals?status=partial&status=registered")
    assert twice.json()["errors"] == [{"field": "status", "reason": "given twice"}]
    assert await site.redis.zcard("arq:queue") == 0


async def test_health_and_the_openapi_document_are_for_everybody(gateway: Gateway) -> None:
    client = await gateway.client()
    for path in OPEN_PATHS:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_other_methods_and_paths_are_problems_too(gateway: Gateway) -> None:
    client = await gateway.client("boss")
    answers = {path: await client.put(path) for path in ("/v1/hospitals", "/nowhere")}
    assert answers["/v1/hospitals"].json()["code"] == "method-not-allowed"
    assert answers["/v1/hospitals"].headers["allow"] == "GET"
    assert answers["/nowhere"].json()["code"] == "not-found"


async def test_metrics_count_requests_by_route_and_never_by_address(gateway: Gateway) -> None:
    client = await gateway.client("reader")
    for number in range(3):
        await client.get(f"/v1/hospitals/secret-{number}")
    await (await gateway.client()).get("/v1/imports")

    text = (await client.get("/metrics")).text

    labels = 'method="GET",route="/v1/hospitals/{hospital_id:path}",status="404"'
    assert f"hospital_gateway_requests_total{{{labels}}} 3.0" in text
    assert 'status="401"' in text
    assert "secret" not in text
