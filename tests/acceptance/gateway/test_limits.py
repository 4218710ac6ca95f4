"""Bounds on size, rate and time."""

import asyncio
from typing import Any

import pytest

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, events, key_of, serving, settings_of

RECORD = {"hospital_name": "Mercy"}


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused(site: Site, *, announced: bool) -> None:
    async def parts() -> Any:
        for _ in range(4):
            yield b" " * 1_000

    async with serving(**settings_of(site), gateway_body_bytes=2_000) as gateway:
        client = await gateway.client("clerk")
        content = b" " * 4_000 if announced else parts()
        kind = {"Content-Type": "application/json"}
        answer = await client.post("/v1/jobs/ingest_hospital", content=content, headers=kind)

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert await site.redis.zcard("arq:queue") == 0


async def test_each_key_has_its_rate_and_is_told_when_to_come_back(site: Site) -> None:
    async with serving(**settings_of(site), gateway_rate=5) as gateway:
        client, other = await gateway.client("clerk"), await gateway.client("feeder")
        answers = [await client.get("/v1/jobs/none") for _ in range(50)]

        assert 5 <= [answer.status_code for answer in answers].count(404) < 40
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("too-many-requests", "1")
        assert (await other.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).status_code == 202
        assert (await client.get("/health/live")).status_code == 200


async def test_a_queue_that_is_full_is_said_at_once_and_with_its_numbers(site: Site) -> None:
    async with serving(**settings_of(site), queue_bounds={"arq:queue": 1}) as gateway:
        client = await gateway.client("clerk")
        answers = [await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 429]
    assert (answers[1].json()["code"], answers[1].headers["retry-after"]) == ("queue-full", "1")
    assert answers[1].json()["detail"] == "arq:queue is full: 1 jobs wait, and 1 may; nothing was enqueued"
    assert await site.redis.zcard("arq:queue") == 1


async def status_of_half_a_request(gateway: Gateway) -> int:
    """Send a request whose body does not arrive, and return the status of the answer."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        "POST /v1/jobs/ingest_hospital HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key_of('clerk')}\r\nContent-Length: 100\r\n\r\n{{"
    )
    writer.write(head.encode())
    status = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    return int(status.split()[1])


async def test_a_body_that_does_not_arrive_is_not_waited_for(site: Site) -> None:
    async with serving(**settings_of(site), gateway_request_timeout=0.3) as gateway:
        assert await status_of_half_a_request(gateway) == 504


async def test_a_wait_and_a_stream_may_take_longer_than_other_requests(site: Site) -> None:
    async with serving(**settings_of(site), gateway_request_timeout=2) as gateway:
        client = await gateway.client("clerk")
        receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()
        waiting = asyncio.create_task(client.get(receipt["links"]["outcome"], params={"wait": 60}))
        names: list[str] = []
        async with client.stream("GET", receipt["links"]["events"]) as response:
            async for name, _ in events(response):
                if not names:
                    assert await status_of_half_a_request(gateway) == 504
                    await site.worker()
                names.append(name)

        assert names[-1] == "outcome"
        assert (await waiting).status_code == 200
