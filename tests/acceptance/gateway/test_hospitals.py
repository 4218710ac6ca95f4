"""Hospitals over HTTP."""

import httpx
import pytest
import pytest_asyncio

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, outcome_of
from worker.mongo.client import MongoHandle

NAMES = ("Angel", "Mercy (East)", "Mercy West", "Saint Ann", "Sunrise")


@pytest_asyncio.fixture
async def client(site: Site, registry: MongoHandle, gateway: Gateway) -> httpx.AsyncClient:
    await site.worker()
    client = await gateway.client("clerk")
    records = [
        {
            "hospital_name": name,
            "source": "cms",
            "external_id": str(number),
            "city": "Paris" if number < 4 else "Rome",
        }
        for number, name in enumerate(NAMES, start=1)
    ]
    await outcome_of(client, await client.post("/v1/jobs/ingest_hospitals", json={"records": records}))
    return client


async def ids(client: httpx.AsyncClient, **filters: str) -> list[str]:
    answer = await client.get("/v1/hospitals", params=filters)
    assert answer.status_code == 200, answer.text
    return [hospital["hospital_id"] for hospital in answer.json()["hospitals"]]


async def test_a_hospital_is_shown_with_every_field_and_none_of_the_services_own(client: httpx.AsyncClient) -> None:
    hospital = (await client.get("/v1/hospitals/cms:2")).json()

    assert (hospital["hospital_id"], hospital["hospital_name"], hospital["city"]) == (
        "cms:2",
        "Mercy (East)",
        "Paris",
    )
    assert hospital["created_at"].endswith("Z")
    assert {"_id", "applied_jobs"} & set(hospital) == set()
    missing = await client.get("/v1/hospitals/cms:none")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_filters_select_hospitals(client: httpx.AsyncClient) -> None:
    assert await ids(client, city="Paris") == ["cms:1", "cms:2", "cms:3"]
    assert await ids(client, name_contains="mercy (") == ["cms:2"]
    assert await ids(client, name_contains="mercy", city="Rome") == []
    assert await ids(client, hospital_name="Sunrise", source="cms", status="partial") == ["cms:5"]
    assert await ids(client, status="registered") == []
    assert await ids(client, updated_since="2100-01-01T00:00:00Z") == []
    assert len(await ids(client, updated_since="2020-01-01T00:00:00+02:00")) == len(NAMES)


async def test_pages_follow_one_another_and_name_each_hospital_once(client: httpx.AsyncClient) -> None:
    cursor: dict[str, str] = {}
    pages = []
    while True:
        page = (await client.get("/v1/hospitals", params={"limit": 2, **cursor})).json()
        pages.append([hospital["hospital_id"] for hospital in page["hospitals"]])
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert pages == [["cms:1", "cms:2"], ["cms:3", "cms:4"], ["cms:5"]]


async def test_a_read_with_the_token_of_an_outcome_has_its_write(client: httpx.AsyncClient) -> None:
    for beds in range(1, 6):
        body = {"hospital_id": "cms:1", "changes": {"beds": beds}, "revision": beds}
        outcome = await outcome_of(client, await client.post("/v1/jobs/correct_hospital", json=body))
        read = {"token": outcome["token"]}
        assert (await client.get("/v1/hospitals/cms:1", params=read)).json()["beds"] == beds
        listed = (await client.get("/v1/hospitals", params={**read, "hospital_name": "Angel"})).json()
        assert listed["hospitals"][0]["beds"] == beds


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/v1/hospitals/cms:1", {"token": "none"}, "token"),
        ("/v1/hospitals", {"token": "none"}, "token"),
        ("/v1/hospitals", {"cursor": "!"}, "cursor"),
        ("/v1/hospitals", {"cursor": "_w"}, "cursor"),
        ("/v1/hospitals", {"limit": "0"}, "limit"),
        ("/v1/hospitals", {"limit": "501"}, "limit"),
        ("/v1/hospitals", {"status": "closed"}, "status"),
        ("/v1/hospitals", {"updated_since": "2025-01-01T00:00:00"}, "updated_since"),
        ("/v1/hospitals", {"name_contains": "a\x00"}, "name_contains"),
    ],
)
async def test_an_invalid_parameter_is_named(
    gateway: Gateway, path: str, parameters: dict[str, str], field: str
) -> None:
    answer = await (await gateway.client("reader")).get(path, params=parameters)
    assert (answer.status_code, [it["field"] for it in answer.json()["errors"]]) == (422, [field])
