import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest_asyncio
import uvicorn

from producers.gateway.app import create_app
from producers.gateway.keys import SCOPES, Scope, entry_of
from tests.acceptance.conftest import Site
from tests.security.scanner import CANARY
from tests.support.waiting import until
from worker.settings import load_settings

OWNERS: dict[str, tuple[Scope, ...]] = {
    "reader": ("read",),
    "feeder": ("enqueue",),
    "stopper": ("operate",),
    "clerk": ("read", "enqueue"),
    "boss": SCOPES,
}


def key_of(owner: str) -> str:
    """Return the key of an owner, which no log may contain."""
    return f"hrk_{CANARY}{owner}"


KEYS = ",".join(entry_of(owner, scopes, key_of(owner)) for owner, scopes in OWNERS.items())


class Gateway:
    """The real server of the gateway, and its clients."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def client(self, owner: str = "") -> httpx.AsyncClient:
        """Return a client with the key of an owner, or with none."""
        headers = {"Authorization": f"Bearer {key_of(owner)}"} if owner else {}
        # It would read all certificates of this machine, for a gateway that is served without TLS.
        client = httpx.AsyncClient(base_url=self.url, timeout=60, headers=headers, verify=False)  # noqa: S501
        return await self._stack.enter_async_context(client)


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Gateway]:
    app = create_app(load_settings(**{"redis_timeout": 2, "gateway_keys": KEYS, **settings}))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    listening = socket.create_server(("127.0.0.1", 0))
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: server.started or task.done())
        try:
            yield Gateway(f"http://127.0.0.1:{listening.getsockname()[1]}", stack)
        finally:
            await stack.aclose()
            server.should_exit = True
            await task


def settings_of(site: Site) -> dict[str, Any]:
    """Return what a gateway needs to know of a test's own servers."""
    return {name.lower(): value for name, value in site.environment.items()}


@pytest_asyncio.fixture
async def gateway(site: Site) -> AsyncIterator[Gateway]:
    """The gateway over the test's own Redis and registry."""
    async with serving(**settings_of(site)) as gateway:
        yield gateway


async def outcome_of(client: httpx.AsyncClient, receipt: httpx.Response) -> dict[str, Any]:
    """Return the outcome of a job that was accepted."""
    assert receipt.status_code == 202, receipt.text
    answer = await client.get(receipt.json()["links"]["outcome"], params={"wait": 30})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "done", answer.text
    found: dict[str, Any] = answer.json()["outcome"]
    return found


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """Yield the name and the data of each event of a stream."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
