"""The page of imports, over imports that the command line made."""

import re
import time
from pathlib import Path
from typing import get_args

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import Page, post, serving
from worker.contract import BULK_QUEUE, RecordStatus
from worker.contract.actions import Action
from worker.embedded import EmbeddedRedis
from worker.mongo.client import open_mongo
from worker.queue import keys
from worker.queue.batches import BatchStore
from worker.queue.scripts import Enqueue


def write_list(folder: Path) -> Path:
    file = folder / "list.csv"
    file.write_text("Name,City\n" + "".join(f"Hospital {number},Paris\n" for number in range(20)) + ",Nowhere\n")
    return file


async def test_an_import_is_listed_with_the_counts_of_every_fate(site: Site, page: Page) -> None:
    browser = await page.log_in("viewer")
    assert "No file was imported." in (await browser.get("/imports")).text
    await site.worker()
    done = await site.run("producers", "ingest", str(write_list(site.folder)), "--source", "mine")
    assert done.code == 1, done.out + done.err

    listed = (await browser.get("/imports")).text
    address = re.search(r'href="(/import\?id=[^"]+)"', listed)
    assert address
    shown = (await browser.get(address[1])).text

    assert "<dd>finished</dd>" in shown
    assert "list.csv: 21 rows" in shown
    rows = {name: int(count) for name, count in re.findall(r'"row">([a-z ]+)</th><td class="n">(\d+)</td>', shown)}
    assert {name for name, count in rows.items() if count} == {"created", "rejected", "all rows"}
    assert {name.replace(" ", "_") for name in rows} >= set(get_args(RecordStatus))
    assert (rows["created"], rows["rejected"], rows["all rows"], rows["not accounted for"]) == (20, 1, 21, 0)
    assert "Cancel this import" not in shown
    assert "imports resume" not in shown
    assert (await browser.get("/import?id=none")).status_code == 404


async def test_an_operator_cancels_an_import_after_a_preview(site: Site, page: Page) -> None:
    worker = await site.worker()
    await site.run("producers", "ingest", str(write_list(site.folder)), "--source", "mine")
    browser = await page.log_in("operator")
    found = re.search(r"/import\?id=([^\"]+)", (await browser.get("/imports")).text)
    assert found
    worker.process.kill()
    # A batch of that id whose chunks wait, as if none had run.
    batches = BatchStore(site.redis)
    await site.redis.delete(*[f"arq:batch{part}:{found[1]}" for part in ("", "-jobs", "-order", "-completion")])
    await batches.create(found[1], None)
    waiting = [Enqueue(f"ingest_hospitals:{number}", BULK_QUEUE, b"{}") for number in range(3)]
    await site.scripts.enqueue(waiting, found[1])
    assert "Cancel this import" in (await browser.get(f"/import?id={found[1]}")).text
    assert "3 jobs have not ended" in (await browser.get(f"/import/cancel?id={found[1]}")).text

    answer = await post(browser, "/import/cancel", found[1], reason="the wrong list")

    assert "The import was cancelled." in (await browser.get(answer.headers["location"])).text
    progress = await batches.progress(found[1])
    assert (progress.state, progress.dropped) == ("cancelled", 3)
    assert await site.redis.zcard(BULK_QUEUE) == 0
    (action,) = [Action.model_validate_json(data) for data in (await site.redis.hgetall(keys.ACTIONS)).values()]
    assert (action.actor, action.act, action.target, action.ids, action.reason) == (
        "operator@dashboard",
        "cancel",
        "import",
        (found[1],),
        "the wrong list",
    )
    again = await post(browser, "/import/cancel", found[1])
    assert "There is nothing to cancel" in (await browser.get(again.headers["location"])).text
    assert await site.redis.hlen(keys.ACTIONS) == 1


async def test_the_report_is_downloaded_by_those_who_may_see_values(site: Site, page: Page) -> None:
    await site.worker()
    folder = site.folder / "report"
    file = write_list(site.folder)
    await site.run("producers", "ingest", str(file), "--source", "mine", "--report", str(folder))
    found = re.search(r"/import\?id=([^\"]+)", (await (await page.log_in("viewer")).get("/imports")).text)
    assert found
    (written,) = folder.glob("*/report.ndjson")

    answers = {
        role: await (await page.log_in(role)).get(f"/import/report?id={found[1]}")
        for role in ("viewer", "operator", "auditor")
    }

    assert (answers["viewer"].status_code, "your role is viewer" in answers["viewer"].text.lower()) == (403, True)
    for role in ("operator", "auditor"):
        answer = answers[role]
        assert (answer.status_code, answer.text) == (200, written.read_text())
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        shown = (await (await page.log_in(role)).get(f"/import?id={found[1]}")).text
        assert f'href="/import/report?id={found[1]}"' in shown
    assert "/import/report" not in (await (await page.log_in("viewer")).get(f"/import?id={found[1]}")).text
    assert (await (await page.log_in("operator")).get("/import/report?id=none")).status_code == 404


async def test_an_import_whose_producer_is_gone_says_how_it_is_continued(site: Site, page: Page) -> None:
    await site.worker()
    await site.run("producers", "ingest", str(write_list(site.folder)), "--source", "mine")
    browser = await page.log_in("operator")
    found = re.search(r"/import\?id=([^\"]+)", (await browser.get("/imports")).text)
    assert found
    mongo = open_mongo(site.settings)
    try:
        await mongo.database["imports"].update_one({"_id": found[1]}, {"$set": {"state": "running"}})
    finally:
        await mongo.close()
    batches = BatchStore(site.redis)
    await site.redis.delete(*[f"arq:batch{part}:{found[1]}" for part in ("", "-jobs", "-order", "-completion")])

    lost = (await browser.get(f"/import?id={found[1]}")).text
    await batches.create(found[1], None)
    idle = (await browser.get(f"/import?id={found[1]}")).text
    await batches.seal(found[1])
    sealed = (await browser.get(f"/import?id={found[1]}")).text

    assert "Redis has nothing of it" in lost
    assert f"hospital-producer imports cancel {found[1]}</pre>" in lost
    for shown in (lost, idle):
        assert f"hospital-producer imports resume {found[1]}</pre>" in shown
    assert "its producer was interrupted" in idle
    assert "Cancel this import" in idle
    assert "imports resume" not in sealed


async def test_pages_say_that_mongodb_is_unavailable_within_two_seconds() -> None:
    # Nothing listens on a port that is reserved for nothing.
    gone = "mongodb://127.0.0.1:1/?replicaSet=rs0"
    async with EmbeddedRedis() as redis, serving(redis.url, mongodb_url=gone) as page:
        browser = await page.log_in("viewer")
        began = time.monotonic()

        answer = await browser.get("/imports")

        assert time.monotonic() - began < 2
        assert answer.status_code == 503
        assert "Restore MongoDB, then load this page again." in answer.text
        assert (await browser.get("/queues")).status_code == 200
