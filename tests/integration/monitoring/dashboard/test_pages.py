import re
import time
from typing import Any

import pytest

from tests.integration.monitoring.conftest import WORKER, Planted
from tests.integration.monitoring.dashboard.conftest import Page, post, serving
from worker.contract import DEFAULT_QUEUE
from worker.embedded import EmbeddedRedis
from worker.monitoring.dashboard.pages import queues
from worker.queue import keys
from worker.queue.sorted_pages import Entry, read_entries


async def test_the_overview_gives_a_verdict_in_words(planted: Planted, page: Page) -> None:
    browser = await page.log_in("viewer")

    assert "No jobs are done: no worker is running." in (await browser.get("/")).text
    await planted.heartbeat()
    shown = (await browser.get("/")).text

    assert "Healthy: 1 worker is ready." in shown
    assert '<svg class="chart"' in shown


async def test_the_overview_shows_a_queue_that_is_new_since_the_last_look(planted: Planted, page: Page) -> None:
    browser = await page.log_in("viewer")
    await browser.get("/")
    # What is seen sooner is not remembered for the charts.
    page.services.watcher._interval_s = 1_000
    await planted.heartbeat(queues=[DEFAULT_QUEUE, "arq:queue:cms"])

    shown = await browser.get("/")

    assert shown.status_code == 200
    assert 'aria-label="waiting on arq:queue:cms: nothing yet' in shown.text


async def test_queues_and_their_jobs_are_shown(planted: Planted, page: Page) -> None:
    await planted.enqueue("held")
    await planted.claim()
    await planted.enqueue("waits")
    await planted.enqueue("later", delay_ms=60_000)
    browser = await page.log_in("viewer")

    listed, jobs = (await browser.get("/queues")).text, (await browser.get("/queue?name=arq:queue")).text

    row = re.search(r">arq:queue</a></th>(.*)</tr>", listed)
    assert row
    assert re.findall(r">([\d,]+)</td>", row[1]) == ["1", "1", "1"]
    states = re.findall(r">(\w+)</a></th><td>([\w ]+)</td>", jobs)
    assert sorted(states) == [("held", "in flight"), ("later", "deferred"), ("waits", "waiting")]
    assert (await browser.get("/queue?name=other")).status_code == 404


async def test_a_job_that_ends_or_is_claimed_meanwhile_is_shown_as_it_is_then(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await page.log_in("viewer")
    await planted.enqueue("ends")
    ending = await planted.claim()
    await planted.enqueue("waits")

    async def read_and_go_on(*given: Any, **more: Any) -> list[Entry]:
        entries = await read_entries(*given, **more)
        await planted.finish(ending, "done", tries="drop")
        await planted.claim()
        return entries

    monkeypatch.setattr(queues, "read_entries", read_and_go_on)

    shown = (await browser.get("/queue?name=arq:queue")).text

    assert ">ends</a>" not in shown
    row = shown.partition(">waits</a>")[2].partition("</tr>")[0]
    assert ("in flight" in row, "ago" in row) == (True, False)


async def test_a_queue_that_only_a_worker_names_is_shown(planted: Planted, page: Page) -> None:
    await planted.heartbeat(queues=[DEFAULT_QUEUE, "arq:queue:cms"])
    await planted.redis.zadd("arq:queue:cms", {"waits": 0})
    browser = await page.log_in("viewer")

    listed, jobs = (await browser.get("/queues")).text, (await browser.get("/queue?name=arq:queue:cms")).text

    assert ">arq:queue:cms</a></th>" in listed
    assert ">waits</a>" in jobs


async def test_the_jobs_of_a_long_queue_are_on_several_pages(planted: Planted, page: Page) -> None:
    names = {f"job-{number:03}": number for number in range(120)}
    await planted.redis.zadd(DEFAULT_QUEUE, names)
    browser = await page.log_in("viewer")
    found: list[str] = []
    address = "/queue?name=arq:queue"
    while address:
        shown = (await browser.get(address)).text
        found += re.findall(r">(job-\d+)</a>", shown)
        more = re.search(r'<a href="([^"]+)">Next page', shown)
        address = more[1].replace("&amp;", "&") if more else ""

    assert found == list(names)


async def test_a_job_is_found_and_explained(planted: Planted, page: Page) -> None:
    await planted.enqueue("ingest_hospital:7", delay_ms=60_000)
    browser = await page.log_in("viewer")

    shown = (await browser.get("/jobs", params={"id": " ingest_hospital:7 "})).text
    unknown = await browser.get("/jobs", params={"id": "nosuch"})

    assert "<dd>deferred</dd>" in shown
    assert "is deferred until" in shown
    assert "a patient" not in shown
    assert "Abort this job" not in shown
    assert (unknown.status_code, "is not known" in unknown.text) == (404, True)


async def test_an_operator_aborts_a_job(planted: Planted, page: Page) -> None:
    await planted.enqueue("ingest_hospital:7", delay_ms=60_000)
    browser = await page.log_in("operator")
    assert "Abort this job" in (await browser.get("/jobs", params={"id": "ingest_hospital:7"})).text

    answer = await post(browser, "/jobs/abort", "ingest_hospital:7")

    assert "The abort was asked for" in (await browser.get(answer.headers["location"])).text
    assert await planted.redis.zscore(keys.ABORT, "ingest_hospital:7") is not None
    again = await post(browser, "/jobs/abort", "nosuch")
    assert "There is nothing to abort" in (await browser.get(again.headers["location"])).text


async def test_workers_are_shown(planted: Planted, page: Page) -> None:
    await planted.heartbeat(ready=False, why_not="MongoDB is unavailable")
    browser = await page.log_in("viewer")

    shown = (await browser.get("/workers")).text

    assert WORKER in shown
    assert "not ready: MongoDB is unavailable" in shown


async def test_a_heartbeat_and_a_dead_letter_of_other_programs_break_no_page(planted: Planted, page: Page) -> None:
    await planted.redis.hset(keys.WORKERS, "foreign", "[]")
    await planted.redis.hset(keys.DEAD, b"\xff", b"\xff")
    await planted.redis.zadd(keys.DEAD_INDEX, {b"\xff": float("inf"), "gone": 1})
    await planted.redis.zadd(DEFAULT_QUEUE, {b"\xfe": float("-inf")})
    browser = await page.log_in("operator")

    for path in ("/", "/queues", "/queue?name=arq:queue", "/dead", "/workers", "/dead/letter?id=%5Cxff"):
        assert (await browser.get(path)).status_code == 200, path


async def test_pages_say_that_redis_is_unavailable_and_come_back() -> None:
    async with EmbeddedRedis() as server, serving(server.url) as page:
        browser = await page.log_in("viewer")
        server.freeze()
        began = time.monotonic()

        overview, queues = await browser.get("/"), await browser.get("/queues")

        assert time.monotonic() - began < 2 * 2
        assert (overview.status_code, "Redis is unavailable." in overview.text) == (200, True)
        assert (queues.status_code, "Restore Redis, then load this page again." in queues.text) == (503, True)
        server.thaw()
        assert (await browser.get("/queues")).status_code == 200
