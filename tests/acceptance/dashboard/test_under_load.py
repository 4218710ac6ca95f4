"""How quick pages are with a long queue and many dead letters, while a worker drains the queue.

Run with `PAGE_WAITING=1000000`, while nothing else computes: beside other tests, times say nothing.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable

import httpx
import pytest
from playwright.async_api import Browser

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import needs_browser, opened
from tests.integration.monitoring.dashboard.conftest import Page
from tests.support.page_backlog import fill_dead_letters, fill_queue
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.queue.heartbeats import redis_time

WAITING = int(os.environ.get("PAGE_WAITING", "0"))
DEAD = WAITING // 10
# What the worker does meanwhile: more than it can.
INGESTS = 60_000
LONGEST_S = 0.3
LONGEST_PAINT_S = 1.0
TRIES = 5
PATHS = (
    *("/", "/queues", f"/queue?name={DEFAULT_QUEUE}", "/jobs", "/jobs?id=job:7", "/dead"),
    "/dead?error=NoSuchError",
    *("/dead/letter?id=dead:5", "/dead/bulk?act=retry", "/dead/operations", "/workers", "/schedules", "/actions"),
    *("/imports", "/hospitals?text=Hospital", "/hospital?id=load:1"),
)
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


async def fill(site: Site) -> None:
    """Put jobs on the queue that a worker runs, and behind them the others."""
    hospitals = [
        HospitalRecord(hospital_name=f"Hospital {number}", source="load", external_id=str(number))
        for number in range(INGESTS)
    ]
    async with site.producer() as producer:
        await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital(record=it) for it in hospitals])
    now_ms = round((await redis_time(site.redis)).timestamp() * 1000)
    await fill_queue(site.redis, WAITING, due_ms=now_ms)
    await fill_dead_letters(site.redis, DEAD)


async def ingests_left(site: Site) -> int:
    return int(await site.redis.zcard(DEFAULT_QUEUE)) - WAITING


async def answer_times(browser: httpx.AsyncClient, paths: Iterable[str]) -> dict[str, float]:
    """Return the median of the times in which each page was answered."""
    found = {}
    for path in paths:
        times = []
        for _ in range(TRIES):
            began = time.perf_counter()
            answer = await browser.get(path)
            times.append(time.perf_counter() - began)
            assert answer.status_code == 200, path
        found[path] = statistics.median(times)
    return found


async def paint_times(browser: Browser, url: str, paths: Iterable[str]) -> dict[str, float]:
    """Return the median of the times in which each page was first painted."""
    found = {}
    async with opened(browser, url, "operator") as page:
        for path in paths:
            times = []
            for _ in range(TRIES):
                await page.goto(path)
                # In milliseconds; 0 until it is painted.
                times.append(await until(lambda: page.evaluate(FIRST_PAINT)) / 1000)
            found[path] = statistics.median(times)
    return found


@needs_browser
@pytest.mark.skipif(not WAITING, reason="times need a machine of their own: set PAGE_WAITING=1000000")
@pytest.mark.timeout(240)
async def test_pages_are_quick_beside_a_worker_at_work(
    site: Site, page: Page, browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    await fill(site)
    await site.worker()
    left = [await ingests_left(site)]

    answered = await answer_times(await page.log_in("operator"), PATHS)
    left.append(await ingests_left(site))
    painted = await paint_times(browser, page.url, PATHS[:6])
    left.append(await ingests_left(site))

    record_property("ingests left", left)
    record_property("seconds", answered)
    record_property("seconds to the first paint", painted)
    # It was at work all the time.
    assert left[0] > left[1] > left[2] > 0
    assert {path: seconds for path, seconds in answered.items() if seconds > LONGEST_S} == {}
    assert {path: seconds for path, seconds in painted.items() if seconds > LONGEST_PAINT_S} == {}
