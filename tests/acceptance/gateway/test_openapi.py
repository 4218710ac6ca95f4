"""The gateway answers as its OpenAPI document says, whatever a client sends."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import key_of, serving, settings_of

TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["", "0", "-1", "1e999", "hr:42", "/", "..", "\x00", "%"]))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
JSON = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3))
)


def bodies(operation: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any JSON, and the example of the document with any JSON in one of its places."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return JSON
    example = content["examples"]["example"]["value"]
    places: list[tuple[str, ...]] = [(name,) for name in example]
    places += [(name, inner) for name, value in example.items() if isinstance(value, dict) for inner in value]
    return st.one_of(JSON, st.builds(changed, st.just(example), st.sampled_from(places), JSON))


def changed(value: dict[str, Any], place: tuple[str, ...], new: Any) -> dict[str, Any]:
    name, *rest = place
    return {**value, name: changed(value[name], tuple(rest), new) if rest else new}


def asking(client: httpx.Client, method: str, path: str, operation: dict[str, Any]) -> Callable[[], None]:
    names = [it["name"] for it in operation.get("parameters", []) if it["in"] == "query"]

    @settings(
        max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(
        given_id=TEXTS,
        query=st.dictionaries(st.sampled_from([*names, "other"]), TEXTS, max_size=3),
        body=bodies(operation),
    )
    def ask(given_id: str, query: dict[str, str], body: Any) -> None:
        name = path.partition("{")[2].partition("}")[0]
        address = path.replace(f"{{{name}}}", quote(given_id, safe=""))
        answer = client.request(method, address, params=query, json=body if method == "post" else None)
        said = operation["responses"].get(str(answer.status_code))
        assert said, (answer.request, answer.status_code, answer.text)
        assert answer.status_code < 500, (answer.request, answer.text)
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in said.get("content", {kind: {}}), (answer.request, kind)

    return ask


async def test_every_operation_answers_as_the_document_says(site: Site) -> None:
    def ask_all(url: str) -> int:
        headers = {"Authorization": f"Bearer {key_of('boss')}"}
        with httpx.Client(base_url=url, headers=headers, timeout=20) as client:
            document = client.get("/v1/openapi.json").json()
            operations = [(path, *it) for path, methods in document["paths"].items() for it in methods.items()]
            for path, method, operation in operations:
                asking(client, method, path, operation)()
        return len(operations)

    async with serving(**settings_of(site), gateway_rate=100_000) as gateway:
        assert await asyncio.to_thread(ask_all, gateway.url) >= 20
