"""A live page that stays open for hours: its updates as fast as they go, and the memory of server and tab.

The page is updated every two seconds: `PAGE_UPDATES=14400` is 8 hours.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from playwright.async_api import Browser, CDPSession, Page

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import needs_browser, opened
from tests.acceptance.dashboard.page_process import page_process
from tests.support.memory import resident_kb
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat

# Of the smallest number a tenth still fills the charts, which have the last 150 looks.
UPDATES = max(1_500, int(os.environ.get("PAGE_UPDATES", "0")))
MOST_GROWTH = 1.05
SLOWEST_PER_S = 6
LOOKS_AT_REST = 20
COUNT_UPDATES = """
window.updates = 0;
window.EventSource = class extends EventSource {
  constructor(address) {
    super(address);
    this.addEventListener("message", () => { window.updates += 1; });
  }
};
"""


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
    at = await redis_time(site.redis)
    heartbeat = Heartbeat(
        worker="vm:1:a", host="vm", pid=1, ready=True, queues=[DEFAULT_QUEUE], slots=300, running=3, complete=0,
        retried=0, failed=0, started_at=at, at=at,
    )  # fmt: skip
    for number in itertools.count():
        await site.redis.zadd(DEFAULT_QUEUE, {f"job:{number}": 1})
        await site.redis.zremrangebyrank(DEFAULT_QUEUE, 0, -(number % 997) - 2)
        if number % 50 == 0:
            fresh = {"complete": number * 7, "at": await redis_time(site.redis)}
            await write_heartbeat(site.redis, heartbeat.model_copy(update=fresh))
        await asyncio.sleep(0.005)


async def memory(page: Page, session: CDPSession, pid: int) -> dict[str, float]:
    """Return the resident memory of the server, and heap and nodes of the tab, both at rest and without garbage."""
    os.kill(pid, signal.SIGSTOP)
    try:
        counts: list[int] = []

        async def is_at_rest() -> bool:
            counts.append(await page.evaluate("window.updates"))
            return counts[-1:] * LOOKS_AT_REST == counts[-LOOKS_AT_REST:]

        # What is on its way would be counted as memory.
        await until(is_at_rest)
        for _ in range(3):
            await session.send("HeapProfiler.collectGarbage")
        metrics = {it["name"]: it["value"] for it in (await session.send("Performance.getMetrics"))["metrics"]}
        return {"server": resident_kb(pid), "heap": metrics["JSHeapUsedSize"], "nodes": metrics["Nodes"]}
    finally:
        os.kill(pid, signal.SIGCONT)


async def updated(page: Page, times: int) -> None:
    """Wait until the tab has had so many updates."""
    async with asyncio.timeout(times / SLOWEST_PER_S):
        # Not by `wait_for_function`, which the content security policy forbids.
        while await page.evaluate("window.updates") < times:
            await asyncio.sleep(0.05)


@needs_browser
@pytest.mark.timeout(60 + 2 * UPDATES / SLOWEST_PER_S)
async def test_the_memory_of_server_and_tab_is_flat_while_the_page_is_open(
    browser: Browser, site: Site, record_property: Callable[[str, object], None]
) -> None:
    serving = page_process(site, interval_s=0.002)
    async with changing(site), serving as (url, pid), opened(browser, url, "viewer") as page:
        await page.add_init_script(COUNT_UPDATES)
        await page.reload()
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        await updated(page, UPDATES // 10)
        first = await memory(page, session, pid)
        await updated(page, UPDATES)
        last = await memory(page, session, pid)

    record_property("memory", {"updates": [UPDATES // 10, UPDATES], "first": first, "last": last})
    assert {name: last[name] / first[name] for name in first if last[name] > MOST_GROWTH * first[name]} == {}
