"""A live page that stays open for hours: its events as fast as they go, and the memory of server and tab.

The page gets an event every two seconds: `PAGE_EVENTS=14400` is 8 hours.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from playwright.async_api import Browser, CDPSession, Page

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import needs_browser, opened
from tests.integration.monitoring.dashboard.conftest import PASSWORD
from tests.support.memory import resident_kb
from worker.contract import DEFAULT_QUEUE
from worker.embedded.ports import choose_port
from worker.monitoring.dashboard.passwords import hash_password
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat

EVENTS = int(os.environ.get("PAGE_EVENTS", "1500"))
# Until then the charts fill up, which have the last 150 looks, and the browser compiles what it runs often.
FIRST = 1_000
MOST_GROWTH = 1.05
SLOWEST_PER_S = 20
COUNT_EVENTS = """
window.seen = 0;
window.EventSource = class extends EventSource {
  constructor(address) {
    super(address);
    this.addEventListener("message", () => { window.seen += 1; });
  }
};
"""


@asynccontextmanager
async def quick_page(site: Site) -> AsyncIterator[tuple[str, int]]:
    """Serve the page in a process of its own; yields its address and its process id."""
    port = choose_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.acceptance.dashboard.quick_page", str(port)),
        env={**os.environ, **site.environment, "DASHBOARD_USERS": f"viewer:viewer:{hash_password(PASSWORD)}"},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/login")).status_code == 200
                except httpx.ConnectError:
                    return False

            await site.until(answers)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def changing(site: Site) -> AsyncIterator[None]:
    """Let the queue grow and shrink, and a worker report more, so that each look sees something else."""
    task = asyncio.create_task(change(site))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def change(site: Site) -> None:
    heartbeat = Heartbeat(
        worker="vm:1:a", host="vm", pid=1, ready=True, queues=[DEFAULT_QUEUE], slots=300, running=3, complete=0,
        retried=0, failed=0, started_at=await redis_time(site.redis), at=await redis_time(site.redis),
    )  # fmt: skip
    for number in itertools.count():
        await site.redis.zadd(DEFAULT_QUEUE, {f"job:{number}": 1})
        await site.redis.zremrangebyrank(DEFAULT_QUEUE, 0, -(number % 997) - 2)
        if number % 50 == 0:
            fresh = {"complete": number * 7, "at": await redis_time(site.redis)}
            await write_heartbeat(site.redis, heartbeat.model_copy(update=fresh))
        await asyncio.sleep(0.005)


async def memory(session: CDPSession, pid: int) -> dict[str, float]:
    """Return the resident memory of the server, and heap and nodes of the tab without its garbage."""
    for _ in range(3):
        await session.send("HeapProfiler.collectGarbage")
    metrics = {it["name"]: it["value"] for it in (await session.send("Performance.getMetrics"))["metrics"]}
    return {"server": resident_kb(pid), "heap": metrics["JSHeapUsedSize"], "nodes": metrics["Nodes"]}


async def seen(page: Page, events: int) -> None:
    """Wait until the tab has had so many events."""
    async with asyncio.timeout(events / SLOWEST_PER_S):
        # Not by `wait_for_function`, which the content security policy forbids.
        while await page.evaluate("window.seen") < events:
            await asyncio.sleep(0.05)


@needs_browser
@pytest.mark.timeout(60 + 2 * (FIRST + EVENTS) / SLOWEST_PER_S)
async def test_the_memory_of_server_and_tab_is_flat_while_the_page_is_open(
    browser: Browser, site: Site, record_property: Callable[[str, object], None]
) -> None:
    async with changing(site), quick_page(site) as (url, pid), opened(browser, url, "viewer") as page:
        await page.add_init_script(COUNT_EVENTS)
        await page.reload()
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        await seen(page, FIRST)
        first = await memory(session, pid)
        await seen(page, FIRST + EVENTS)
        last = await memory(session, pid)

    record_property("memory", [first, last])
    assert {name: last[name] / first[name] for name in first if last[name] > MOST_GROWTH * first[name]} == {}
