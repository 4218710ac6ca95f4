"""The OpenAPI document, made without servers."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from producers.gateway.app import create_app
from producers.gateway.guard import OPEN_PATHS
from producers.gateway.keys import entry_of, make_key
from producers.gateway.routes.enqueueing import router
from worker.contract import JOBS
from worker.contract.validation import parse
from worker.errors import ConfigurationError
from worker.settings import load_settings

SETTINGS = load_settings(gateway_keys=entry_of("any", ["read"], make_key()))
DOCUMENT: dict[str, Any] = create_app(SETTINGS).openapi()
OF_HOSPITALS = {name for name in JOBS if name.endswith(("_hospital", "ingest_hospitals"))}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_has_an_operation_for_each_job_on_hospitals() -> None:
    enqueued = {path.removeprefix("/v1/jobs/") for path in DOCUMENT["paths"] if path.startswith("/v1/jobs/")}
    assert enqueued - {"{job_id}"} == OF_HOSPITALS
    assert len(router.routes) == len(OF_HOSPITALS)


@pytest.mark.parametrize("name", sorted(OF_HOSPITALS))
def test_each_job_has_an_example_that_its_contract_accepts(name: str) -> None:
    content = DOCUMENT["paths"][f"/v1/jobs/{name}"]["post"]["requestBody"]["content"]["application/json"]
    example = content["examples"]["example"]["value"]
    actor = {"actor": "any"} if "actor" in JOBS[name].payload.model_fields else {}
    assert "actor" not in example
    assert parse(JOBS[name].payload, example | actor)


@pytest.mark.parametrize("route", router.routes, ids=lambda route: route.name)
def test_each_job_takes_what_its_route_reads(route: APIRoute) -> None:
    # `JobRoute` calls the function with these, in this order.
    names = [name.lstrip("_") for name in inspect.signature(route.endpoint).parameters]
    assert names == ["request", "key", "body", "when", "idempotency_key"]
    parameters = DOCUMENT["paths"][route.path]["post"]["parameters"]
    assert {it["name"]: it["in"] for it in parameters} == {
        "delay": "query",
        "run_at": "query",
        "Idempotency-Key": "header",
    }
    assert not any(it.get("required") for it in parameters)


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_every_operation_says_what_it_needs_and_what_can_go_wrong(name: str, operation: dict[str, Any]) -> None:
    assert ("security" in operation) == (name.partition(" ")[2] not in OPEN_PATHS)
    assert {"401", "403", "415", "422", "429", "503"} <= set(operation["responses"])
    problem = operation["responses"]["422"]["content"]
    assert list(problem) == ["application/problem+json"]
    assert operation["summary"]
    assert operation["description"]


def test_without_a_key_there_is_no_application() -> None:
    with pytest.raises(ConfigurationError, match="GATEWAY_KEYS: no key"):
        create_app(load_settings(gateway_keys=""))
