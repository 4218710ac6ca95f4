"""The gateway while Redis or MongoDB is unavailable."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import outcome_of, serving, settings_of
from tests.security.scanner import CANARY
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.embedded.ports import choose_port
from worker.mongo.client import open_mongo

RECORD = {"hospital_name": "Mercy"}


async def ready(client: httpx.AsyncClient) -> tuple[int, dict[str, str]]:
    answer = await client.get("/health/ready")
    return answer.status_code, answer.json()


async def test_it_starts_without_servers_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    redis, mongo = (f"127.0.0.1:{choose_port()}" for _ in range(2))
    url = f"mongodb://{mongo}/?replicaSet=rs0"
    async with serving(redis_url=f"redis://{redis}/0", mongodb_url=url, mongodb_selection_timeout=1) as gateway:
        client = await gateway.client("boss")

        assert (await client.get("/health/live")).status_code == 200
        assert await ready(client) == (503, {"redis": "unavailable", "mongodb": "unavailable"})
        for answer in (
            await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD}),
            await client.get("/v1/jobs/ingest_hospital:x"),
            await client.get("/v1/explanations/ingest_hospital:x"),
            await client.get("/v1/events/jobs/ingest_hospital:x"),
            await client.get("/v1/hospitals"),
            await client.get("/v1/hospitals/x"),
            await client.get("/v1/imports"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.url
            assert int(answer.headers["retry-after"]) > 0
            # Where the servers are is nothing for clients.
            assert "127.0.0.1" not in answer.text
        # An outage is no error of the gateway: no traceback of it is logged.
        assert [it for it in caplog.records if it.exc_info] == []


async def test_jobs_are_taken_without_mongodb(site: Site) -> None:
    url = f"mongodb://127.0.0.1:{choose_port()}/?replicaSet=rs0"
    settings = {**settings_of(site), "mongodb_url": url, "mongodb_selection_timeout": 1}
    async with serving(**settings) as gateway:
        client = await gateway.client("clerk")

        assert await ready(client) == (200, {"redis": "ok", "mongodb": "unavailable"})
        receipt = await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})
        assert receipt.status_code == 202
        assert (await client.get(receipt.json()["links"]["explanation"])).json()["state"] == "queued"
        assert (await client.get("/v1/hospitals")).status_code == 503


async def test_it_works_again_when_redis_is_back() -> None:
    async with EmbeddedRedis() as redis, serving(redis_url=redis.url, redis_timeout=1) as gateway:
        client = await gateway.client("clerk")
        send: dict[str, Any] = {"json": {"record": RECORD}, "headers": {"Idempotency-Key": "one"}}
        await redis.kill()
        assert (await client.post("/v1/jobs/ingest_hospital", **send)).status_code == 503

        await redis.start()

        receipt = await client.post("/v1/jobs/ingest_hospital", **send)
        assert (receipt.status_code, receipt.json()["state"]) == (202, "new")


async def test_no_accepted_job_is_lost_while_a_worker_and_redis_are_killed(
    mongo: EmbeddedMongo, tmp_path: Path
) -> None:
    async with EmbeddedRedis(password=CANARY, appendfsync="always") as redis:
        site = Site(redis, mongo, tmp_path)
        worker = await site.worker()
        async with serving(**settings_of(site)) as gateway:
            client = await gateway.client("clerk")

            async def send(number: int) -> httpx.Response:
                record = {"hospital_name": f"Hospital {number}", "source": "cms", "external_id": str(number)}
                key = {"Idempotency-Key": f"row-{number}"}
                while True:
                    answer = await client.post("/v1/jobs/ingest_hospital", json={"record": record}, headers=key)
                    if answer.status_code != 503:
                        return answer

            sending = [asyncio.create_task(send(number)) for number in range(400)]
            await site.until(lambda: sum(task.done() for task in sending) >= 50)
            worker.process.kill()
            await redis.kill()
            await redis.start()
            await site.worker()
            outcomes = [await outcome_of(client, receipt) for receipt in await asyncio.gather(*sending)]

        assert {outcome["status"] for outcome in outcomes} == {"created"}
        registry = open_mongo(site.settings)
        assert await registry.hospitals.count_documents({}) == len(sending)
        await registry.close()
        await site.close()
