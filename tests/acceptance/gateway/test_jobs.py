"""Jobs over HTTP, with a worker that does them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, events, outcome_of
from worker.contract.actions import Action
from worker.mongo.client import MongoHandle
from worker.queue import keys

RECORD = {"hospital_name": "Sunrise Clinic", "source": "hr", "external_id": "42", "beds": 120}
REASON = {"reason": "licence 4711 seen"}
UNKNOWN = "register_hospital:none"
JSON = {"Content-Type": "application/json"}


async def test_each_job_is_done_and_its_outcome_known(site: Site, registry: MongoHandle, gateway: Gateway) -> None:
    await site.worker()
    client = await gateway.client("clerk")

    async def done(job: str, **body: Any) -> dict[str, Any]:
        return await outcome_of(client, await client.post(f"/v1/jobs/{job}", json=body))

    ingested = await done("ingest_hospital", record=RECORD)
    assert (ingested["status"], ingested["hospital_id"], ingested["revision"]) == ("created", "hr:42", 1)
    kept = await done("ingest_hospital", record={**RECORD, "beds": 9})
    assert kept["status"] == "kept"
    assert kept["differences"] == [{"field": "beds", "stored": 120, "given": 9}]
    # Words of earlier versions are for earlier readers.
    assert {"fate", "reason"} & set(kept) == set()
    many = await done("ingest_hospitals", records=[RECORD, {"hospital_name": "Angel"}], on_existing="merge")
    assert many["statuses"] == ["same", "created"]
    corrected = await done("correct_hospital", hospital_id="hr:42", changes={"beds": 64}, revision=1)
    assert (corrected["status"], corrected["revision"]) == ("corrected", 2)
    discarded = await done("discard_hospital", hospital_id="name:angel", revision=1)
    assert discarded["status"] == "discarded"
    registered = await done("register_hospital", record=RECORD, **REASON)
    assert registered["status"] == "registered"
    amended = await done("amend_hospital", hospital_id="hr:42", changes={"beds": 65}, **REASON)
    assert amended["status"] == "amended"
    withdrawn = await done("withdraw_hospital", hospital_id="hr:42", revision=amended["revision"], **REASON)
    assert withdrawn["status"] == "withdrawn"
    entries = await registry.logs.find({"hospital_id": "hr:42"}).sort("seq").to_list(None)
    assert [(entry["event"], entry["actor"]) for entry in entries] == [
        ("registered", "clerk"),
        ("amended", "clerk"),
        ("withdrawn", "clerk"),
    ]


@pytest.mark.parametrize(
    ("job", "body"),
    [
        ("register_hospital", {"record": RECORD}),
        ("amend_hospital", {"hospital_id": "hr:42", "changes": {"beds": 1}}),
        ("withdraw_hospital", {"hospital_id": "hr:42"}),
    ],
)
async def test_no_client_chooses_the_actor(site: Site, gateway: Gateway, job: str, body: dict[str, Any]) -> None:
    client = await gateway.client("clerk")

    answer = await client.post(f"/v1/jobs/{job}", json={**body, **REASON, "actor": "dr-ito"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "actor", "reason": "unknown field"}]
    assert await site.redis.zcard("arq:queue") == 0


async def test_a_key_is_one_operation(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    key = {"Idempotency-Key": "feed/2025-06-30?row=1&x=%41#~"}

    first = await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD}, headers=key)
    again = await client.post(
        "/v1/jobs/ingest_hospital", json={"record": RECORD, "on_existing": "keep"}, headers=key
    )
    other = await client.post("/v1/jobs/ingest_hospital", json={"record": {**RECORD, "beds": 1}}, headers=key)

    assert (first.status_code, first.json()["state"]) == (202, "new")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert again.json()["job_id"] == first.json()["job_id"] == f"ingest_hospital:{key['Idempotency-Key']}"
    assert (other.status_code, other.json()["code"]) == (409, "key-used-twice")
    assert await site.redis.zcard("arq:queue") == 1
    for link in first.json()["links"].values():
        if "events" not in link:
            assert (await client.get(link)).json()["job_id"] == first.json()["job_id"]
    assert first.headers["location"] == first.json()["links"]["status"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "fields"),
    [
        ({"record": {**RECORD, "beds": -1, "colour": "mauve"}}, {}, 422, ["record.beds", "record.colour"]),
        ({"record": {"hospital_name": "Mercy", "external_id": "1"}}, {}, 422, ["record"]),
        ({}, {}, 422, ["record"]),
        ([], {}, 422, ["payload"]),
        ({"record": RECORD}, {"Idempotency-Key": "two words"}, 422, ["Idempotency-Key"]),
        (b"{", JSON, 400, []),
        (b"[" * 100_000, JSON, 400, []),
        (b"\xff", JSON, 400, []),
        (b"", JSON, 400, []),
        (b'{"record": {"hospital_name": "a", "hospital_name": "b"}}', JSON, 422, ["hospital_name"]),
        (b'{"record": {"hospital_name": "\\ud800"}}', JSON, 422, ["record.hospital_name"]),
        (b'{"record": {"hospital_name": "Mercy"}}', {"Content-Type": "text/plain"}, 415, []),
        (b'{"record": {"hospital_name": "Mercy"}}', {}, 415, []),
    ],
)
async def test_an_invalid_field_is_named_and_nothing_is_enqueued(
    site: Site, gateway: Gateway, body: Any, headers: dict[str, str], status: int, fields: list[str]
) -> None:
    client = await gateway.client("feeder")
    content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}

    answer = await client.post("/v1/jobs/ingest_hospital", headers=headers, **content)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert [error["field"] for error in answer.json().get("errors", [])] == fields
    assert "mauve" not in answer.text
    assert await site.redis.zcard("arq:queue") == 0


async def test_each_job_may_run_later(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    paths = (await client.get("/v1/openapi.json")).json()["paths"]
    soon = datetime.now(UTC) + timedelta(hours=1)
    operations = {path: it["post"] for path, it in paths.items() if path.startswith("/v1/jobs/") and "post" in it}
    assert len(operations) == 7
    for path, operation in operations.items():
        body = operation["requestBody"]["content"]["application/json"]["examples"]["example"]["value"]
        for when in ({"delay": "3600"}, {"run_at": soon.isoformat()}, {"run_at": "2020-01-01T00:00:00Z"}):
            receipt = await client.post(path, params=when, json=body)
            assert receipt.status_code == 202, receipt.text
            status = (await client.get(receipt.json()["links"]["status"])).json()
            assert status["state"] == ("queued" if "2020" in str(when) else "deferred"), (path, when)
    (*_, last) = await site.redis.zrange("arq:queue", 0, -1, withscores=True)
    assert abs(last[1] / 1_000 - soon.timestamp()) < 60


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("delay=-1", "delay"),
        ("run_at=2020-01-01T00:00:00", "run_at"),
        ("run_at=2020-01-01T00:00:00Z&delay=1", "run_at"),
        ("dealy=60", "dealy"),
    ],
)
async def test_an_invalid_time_is_named_and_nothing_is_enqueued(
    site: Site, gateway: Gateway, query: str, field: str
) -> None:
    client = await gateway.client("clerk")

    answer = await client.post(f"/v1/jobs/ingest_hospital?{query}", json={"record": RECORD})

    assert (answer.status_code, [it["field"] for it in answer.json()["errors"]]) == (422, [field])
    assert await site.redis.zcard("arq:queue") == 0


@pytest.mark.parametrize("path", ["jobs", "outcomes", "explanations", "events/jobs"])
async def test_an_unknown_job_is_not_found(gateway: Gateway, path: str) -> None:
    client = await gateway.client("boss")
    for job_id in (UNKNOWN, "", "a%00b", "%F0%9F%8F%A5", "x" * 2_000):
        answer = await client.get(f"/v1/{path}/{job_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), job_id
    assert (await client.delete(f"/v1/jobs/{UNKNOWN}")).status_code == 404
    assert (await client.get(f"/v1/{path}/{'x' * 2_001}")).status_code == 422


async def test_a_wait_ends_when_the_job_does_or_when_it_is_over(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()

    early = await client.get(receipt["links"]["outcome"], params={"wait": 0.1})
    assert (early.status_code, early.headers["retry-after"]) == (202, "1")
    assert (early.json()["state"], early.json()["tries"]) == ("queued", 0)
    await site.worker()
    ended = await client.get(receipt["links"]["outcome"], params={"wait": 60})
    assert (ended.status_code, ended.json()["outcome"]["status"]) == (200, "created")
    assert (await client.get(receipt["links"]["status"])).json()["state"] == "done"
    assert (await client.get(receipt["links"]["outcome"], params={"wait": 61})).status_code == 422


async def test_a_job_that_waits_is_explained_and_aborted_once(site: Site, gateway: Gateway) -> None:
    client, boss = await gateway.client("clerk"), await gateway.client("boss")
    receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()

    explained = (await client.get(receipt["links"]["explanation"])).json()
    assert (explained["state"], explained["facts"]["queue"]) == ("queued", "arq:queue")
    assert "waits for a worker" in explained["reason"]
    assert (await client.delete(receipt["links"]["status"])).status_code == 403
    assert (await boss.delete(receipt["links"]["status"])).status_code == 202
    assert await site.redis.zscore(keys.ABORT, receipt["job_id"])
    (action,) = [Action.model_validate_json(data) for data in (await site.redis.hgetall(keys.ACTIONS)).values()]
    assert (action.actor, action.act, action.ids) == ("boss@gateway", "abort", (receipt["job_id"],))
    await site.worker()
    ended = await client.get(receipt["links"]["outcome"], params={"wait": 30})
    assert (ended.status_code, ended.json()["state"]) == (200, "failed")
    again = await boss.delete(receipt["links"]["status"])
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-do")


async def test_a_dead_letter_has_an_error_and_an_explanation_that_names_it(site: Site, gateway: Gateway) -> None:
    await site.put("ingest_hospital", {"record": {}}, job_id="ingest_hospital:bad")
    await site.worker()
    client = await gateway.client("reader")

    ended = (await client.get("/v1/outcomes/ingest_hospital:bad", params={"wait": 30})).json()

    assert (ended["state"], ended["outcome"]) == ("dead", None)
    assert ended["error"].startswith("InvalidPayload: ")
    explained = (await client.get("/v1/explanations/ingest_hospital:bad")).json()
    assert explained["state"] == "dead"
    assert "fix the cause" in explained["change"]


async def test_what_redis_has_forgotten_is_explained_by_the_history(site: Site, gateway: Gateway) -> None:
    await site.worker()
    client = await gateway.client("clerk")
    receipt = await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})
    await outcome_of(client, receipt)
    job_id = receipt.json()["job_id"]
    await site.redis.delete(keys.RESULT + job_id)

    explained = (await client.get(receipt.json()["links"]["explanation"])).json()

    assert (explained["state"], explained["facts"]["hospital"]) == ("done", "hr:42")
    assert (await client.get(receipt.json()["links"]["outcome"])).status_code == 404


async def test_the_life_of_a_job_is_sent_as_it_happens(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()
    seen = []

    async with client.stream("GET", receipt["links"]["events"]) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for name, data in events(response):
            seen.append((name, data["state"]))
            if len(seen) == 1:
                await site.worker()

    assert seen[0] == ("state", "queued")
    assert seen[-2:] == [("state", "done"), ("outcome", "done")]
    assert data["outcome"]["status"] == "created"
