"""The page of imports, over imports that the command line made."""

import html
import re
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import Page, post, serving
from worker.contract import BULK_QUEUE, CLOSE_IMPORT, RecordStatus, batch_job_id
from worker.contract.actions import Action
from worker.embedded import EmbeddedRedis
from worker.mongo.client import open_mongo
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.pages import imports
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
    assert "list.csv</bdi>: 21 rows" in shown
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


async def interrupt(site: Site, name: str = "") -> str:
    """Import a file, then let it be as if its producer had ended before it made the batch; returns its id."""
    await site.run("producers", "ingest", str(write_list(site.folder)), "--source", "mine")
    mongo = open_mongo(site.settings)
    try:
        imports = mongo.database["imports"]
        import_id = str((await imports.find_one() or {})["_id"])
        changes = {"state": "running", **({"file.name": name} if name else {})}
        await imports.update_one({"_id": import_id}, {"$set": changes, "$unset": {"ended_at": "", "counts": ""}})
    finally:
        await mongo.close()
    of_batch = (keys.BATCH, keys.BATCH_JOBS, keys.BATCH_ORDER, keys.BATCH_COMPLETION)
    result = keys.RESULT + batch_job_id(CLOSE_IMPORT, import_id)
    await site.redis.delete(*(prefix + import_id for prefix in of_batch), result)
    return import_id


async def test_an_import_whose_producer_is_gone_says_how_it_is_continued(site: Site, page: Page) -> None:
    await site.worker()
    import_id = await interrupt(site)
    browser = await page.log_in("operator")
    batches = BatchStore(site.redis)

    lost, listed_lost = (await browser.get(f"/import?id={import_id}")).text, (await browser.get("/imports")).text
    await batches.create(import_id, None)
    idle = (await browser.get(f"/import?id={import_id}")).text
    await batches.seal(import_id)
    sealed, listed_sealed = (
        (await browser.get(f"/import?id={import_id}")).text,
        (await browser.get("/imports")).text,
    )

    assert "Redis has nothing of it" in lost
    for shown in (lost, idle):
        # The file was named by its whole path.
        assert f"hospital-producer imports resume {import_id}</pre>" in shown
        assert "Cancel this import" in shown
    assert "its producer was interrupted" in idle
    assert "<td>running: none of its chunks waits or runs</td>" in listed_lost
    assert "<td>running</td>" in listed_sealed
    assert "imports resume" not in sealed


async def test_the_list_is_shown_while_redis_is_unavailable(site: Site) -> None:
    await site.worker()
    await interrupt(site)
    url, database = site.environment["MONGODB_URL"], site.environment["MONGODB_DATABASE"]

    async with serving("redis://127.0.0.1:1/0", mongodb_url=url, mongodb_database=database) as page:
        answer = await (await page.log_in("viewer")).get("/imports")

    assert (answer.status_code, "<td>running</td>" in answer.text) == (200, True)


@pytest.mark.parametrize("name", ["list.csv", "june/list <b>.csv", "standard input", "standard input/list.csv"])
async def test_the_command_names_a_file_that_is_not_known_by_its_whole_path(
    site: Site, page: Page, name: str
) -> None:
    await site.worker()
    import_id = await interrupt(site, name)

    shown = (await (await page.log_in("operator")).get(f"/import?id={import_id}")).text

    assert f"hospital-producer imports resume {import_id} FILE</pre>" in shown
    assert f"FILE is the path of <bdi>{html.escape(name)}</bdi>." in shown


async def test_an_import_of_which_redis_has_nothing_is_cancelled(site: Site, page: Page) -> None:
    await site.worker()
    import_id = await interrupt(site)
    browser = await page.log_in("operator")
    assert "0 jobs have not ended" in (await browser.get(f"/import/cancel?id={import_id}")).text

    answer = await post(browser, "/import/cancel", import_id, reason="the wrong list")

    assert "The import was cancelled." in (await browser.get(answer.headers["location"])).text
    mongo = open_mongo(site.settings)
    try:

        async def has_ended() -> bool:
            return bool(await mongo.database["imports"].find_one({"_id": import_id, "state": "cancelled"}))

        await site.until(has_ended)
    finally:
        await mongo.close()
    assert "<dd>cancelled</dd>" in (await browser.get(f"/import?id={import_id}")).text
    again = await post(browser, "/import/cancel", import_id)
    assert "There is nothing to cancel" in (await browser.get(again.headers["location"])).text


async def test_an_import_whose_last_chunk_ends_before_it_is_cancelled_was_not_cancelled(
    site: Site, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.worker()
    import_id, browser, batches = await interrupt(site), await page.log_in("operator"), BatchStore(site.redis)
    await batches.create(import_id, None)

    async def end_meanwhile(*given: Any) -> None:
        await batches.seal(import_id)
        await record(*given)

    monkeypatch.setattr(imports, "record", end_meanwhile)

    answer = await post(browser, "/import/cancel", import_id)

    assert "its last chunk has ended meanwhile" in (await browser.get(answer.headers["location"])).text


async def test_a_chunk_that_was_retried_after_the_end_is_accounted_for(site: Site, page: Page) -> None:
    await site.worker()
    await site.run("producers", "ingest", str(write_list(site.folder)), "--source", "mine")
    mongo = open_mongo(site.settings)
    try:
        # As if the chunk had been a dead letter when the import ended.
        await mongo.database["imports"].update_one({}, {"$set": {"counts": {"rejected": 1}}})
    finally:
        await mongo.close()
    browser = await page.log_in("operator")
    found = re.search(r"/import\?id=([^\"]+)", (await browser.get("/imports")).text)
    assert found

    shown = (await browser.get(f"/import?id={found[1]}")).text

    assert re.search(r'"row">not accounted for</th><td class="n">0</td>', shown)


async def test_pages_say_soon_that_mongodb_is_unavailable() -> None:
    # Nothing listens on a port that is reserved for nothing.
    gone = "mongodb://127.0.0.1:1/?replicaSet=rs0"
    async with EmbeddedRedis() as redis, serving(redis.url, mongodb_url=gone) as page:
        browser = await page.log_in("viewer")
        began = time.monotonic()

        answer = await browser.get("/imports")

        # A page waits for 1.5 s, the driver for 10.
        assert time.monotonic() - began < 8
        assert answer.status_code == 503
        assert "Restore MongoDB, then load this page again." in answer.text
        assert (await browser.get("/queues")).status_code == 200
