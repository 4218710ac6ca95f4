"""Clients that leave before they have their answer, and clients that wait together."""

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, key_of

RECORD = {"hospital_name": "Mercy"}
_WAITING = 1_000
_STREAMS = 50


@pytest.fixture
def many_connections() -> Iterator[None]:
    """Both ends of each connection are files of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _WAITING + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def begin(gateway: Gateway, owner: str, *lines: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the beginning of a request on a connection of its own."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (*lines, "Host: gateway", f"Authorization: Bearer {key_of(owner)}", "Connection: close", "", "")
    writer.write("\r\n".join(head).encode())
    return reader, writer


async def metrics(gateway: Gateway) -> str:
    return (await (await gateway.client("boss")).get("/metrics")).text


async def test_a_body_that_ends_early_is_no_error_of_the_gateway(
    site: Site, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/v1/jobs/ingest_hospital"
    kind = "Content-Type: application/json"
    _, writer = await begin(gateway, "clerk", f"POST {path} HTTP/1.1", kind, "Content-Length: 100")
    writer.write(b'{"record": ')
    await writer.drain()
    writer.close()

    counted = f'hospital_gateway_requests_total{{method="POST",route="{path}",status="400"}} 1.0'
    await site.until(lambda: _has(gateway, counted))
    assert [it for it in caplog.records if it.levelno >= logging.ERROR] == []
    assert await site.redis.zcard("arq:queue") == 0


async def _has(gateway: Gateway, line: str) -> bool:
    return line in await metrics(gateway)


async def test_a_stream_ends_when_its_client_leaves(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()
    line = f"GET {receipt['links']['events']} HTTP/1.1"
    streams = [await begin(gateway, "clerk", line) for _ in range(_STREAMS)]
    for reader, _ in streams:
        await reader.readuntil(b"event: state")
    assert f"hospital_gateway_streams {_STREAMS}.0" in await metrics(gateway)

    for _, writer in streams:
        writer.close()

    await site.until(lambda: _has(gateway, "hospital_gateway_streams 0.0"))


@pytest.mark.usefixtures("many_connections")
async def test_a_thousand_clients_wait_for_one_job_and_each_is_told(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()
    line = f"GET {receipt['links']['outcome']}?wait=60 HTTP/1.1"
    waiting = [await begin(gateway, "clerk", line) for _ in range(_WAITING)]

    await site.worker()
    answers = [await reader.read() for reader, _ in waiting]

    assert Counter(answer.partition(b"\r\n")[0] for answer in answers) == {b"HTTP/1.1 200 OK": _WAITING}
    assert all(b'"status":"created"' in answer for answer in answers)
    for _, writer in waiting:
        writer.close()


@pytest.mark.usefixtures("many_connections")
async def test_a_thousand_clients_that_have_waited_in_vain_are_told_so(site: Site, gateway: Gateway) -> None:
    client = await gateway.client("clerk")
    receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": RECORD})).json()
    line = f"GET {receipt['links']['outcome']}?wait=2 HTTP/1.1"
    waiting = [await begin(gateway, "clerk", line) for _ in range(_WAITING)]

    answers = [await reader.read() for reader, _ in waiting]

    assert Counter(answer.partition(b"\r\n")[0] for answer in answers) == {b"HTTP/1.1 202 Accepted": _WAITING}
    for _, writer in waiting:
        writer.close()
