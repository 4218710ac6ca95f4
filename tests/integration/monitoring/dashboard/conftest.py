import asyncio
import html
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest_asyncio
from fastapi.routing import APIRoute

from tests.integration.monitoring.conftest import Planted
from tests.support.waiting import until
from worker.mongo.client import open_mongo
from worker.monitoring.dashboard.pages import PAGES as MODULES
from worker.monitoring.dashboard.server import server_of
from worker.monitoring.dashboard.services import Services
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest
from worker.redis.client import open_redis
from worker.settings import load_settings

PASSWORD = "only of this test"
# Of the password, with the least work that is accepted.
_HASH = "scrypt.14.5ifWdFRXyKvaWXBKCzTIsQ.ZE1Pw-GRQaMxXD4cD53PdTfTbKfFjTz4Q3cjxwGvdVc"
ROLES = ("viewer", "operator", "auditor")
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def _routes(method: str) -> Iterator[str]:
    for module in MODULES:
        for route in module.router.routes:
            if isinstance(route, APIRoute) and method in (route.methods or ()) and route.path != "/login":
                yield route.path


PAGES = sorted(_routes("GET"))
ACTIONS = sorted(set(_routes("POST")) - {"/logout"})


class Page:
    """The real server of the page, and the browsers of its users."""

    def __init__(self, url: str, services: Services, stack: AsyncExitStack) -> None:
        self.url = url
        self.services = services
        self._stack = stack

    async def browser(self) -> httpx.AsyncClient:
        """Return a client with cookies of its own. It follows no redirect."""
        # It would read all certificates of this machine, for a page that is served without TLS.
        client = httpx.AsyncClient(base_url=self.url, timeout=20, verify=False)  # noqa: S501 (as above)
        return await self._stack.enter_async_context(client)

    async def log_in(self, role: str, password: str = PASSWORD) -> httpx.AsyncClient:
        browser = await self.browser()
        await self.try_login(browser, role, password)
        return browser

    async def try_login(self, browser: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
        token = token_of(await browser.get("/login"))
        return await browser.post("/login", data={"name": name, "password": password, "csrf": token})


def token_of(response: httpx.Response) -> str:
    found = _TOKEN.search(response.text)
    assert found, response.text
    return found[1]


async def post(browser: httpx.AsyncClient, path: str, job_id: str = "", **fields: str) -> httpx.Response:
    """Post a form of the page, as its own buttons do."""
    token = token_of(await browser.get("/jobs"))
    return await browser.post(path, params={"id": job_id} if job_id else {}, data={"csrf": token, **fields})


def form_of(text: str) -> tuple[str, dict[str, object]]:
    """Return the digest in the form of the editor, and the arguments in it."""
    digest = re.search(r'name="digest" value="([^"]+)"', text)
    arguments = re.search(r"<textarea[^>]*>(.*)</textarea>", text, re.DOTALL)
    assert digest
    assert arguments
    return digest[1], json.loads(html.unescape(arguments[1]))


@asynccontextmanager
async def serving(redis_url: str, *, is_secure: bool = False, **more: Any) -> AsyncIterator[Page]:
    users = ",".join(f"{role}:{role}:{_HASH}" for role in ROLES)
    settings = load_settings(redis_url=redis_url, redis_timeout=2, dashboard_users=users, **more)
    redis, mongo = open_redis(settings), open_mongo(settings)
    services = Services.of(settings, redis, mongo, is_secure=is_secure)
    server = server_of(services, "127.0.0.1", 0)
    listening = socket.create_server(("127.0.0.1", 0))
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: server.started or task.done())
        try:
            yield Page(f"http://127.0.0.1:{listening.getsockname()[1]}", services, stack)
        finally:
            await stack.aclose()
            server.should_exit = True
            await task
            await redis.aclose(close_connection_pool=True)
            await mongo.close()


@pytest_asyncio.fixture
async def page(planted: Planted) -> AsyncIterator[Page]:
    # Without MongoDB; tests of the history are in acceptance/dashboard/test_jobs.py.
    async with serving(planted.environment["REDIS_URL"], worker_history_days=0) as page:
        yield page


async def plant_dead_letter(planted: Planted, job_id: str, payload: object, **fields: Any) -> None:
    """Enqueue a job and let it die as a worker does."""
    await planted.enqueue(job_id, **{"a": [payload], **fields})
    job = await planted.claim()
    letter = DeadLetter(
        job_id=job.job_id.decode(),
        function="ingest_hospital",
        queue=job.queue,
        payload_bytes=len(job.payload),
        payload_digest=payload_digest(job.payload),
        reason="permanent error",
        failure=Failure(type="InvalidPayload", message="a patient", tries=1, at_ms=1),
        crashes=0,
        worker="vm:1:a",
    )
    await planted.finish(job, "dead", record=letter.stored(), payload=job.payload)
