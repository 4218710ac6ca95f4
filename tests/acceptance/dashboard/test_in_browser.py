"""The page in a real browser."""

import json
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page
from playwright.async_api import expect as expect_that

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import needs_browser, opened
from tests.integration.monitoring.dashboard.conftest import serving
from tests.support.dead_letters import store_dead_letter
from worker.contract import HospitalRecord
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.dead_operations import DeadOperations, Plan, new_operation_id
from worker.queue.pauses import read_pauses

pytestmark = needs_browser

RECORD = {"hospital_name": "Mercy", "source": "cms", "external_id": "1"}
BAD, GOOD = "ingest_hospital:bad", "ingest_hospital:good"
CRON_JOB = "cron:report"
PAGES = ("/", "/queues", "/queue?name=arq:queue", "/jobs", f"/jobs?id={GOOD}", "/dead", f"/dead/letter?id={BAD}")
OF_OPERATORS = (
    f"/dead/edit?id={BAD}",
    f"/dead/discard?id={BAD}",
    "/dead/bulk?act=discard",
    "/dead/operations",
    "/workers",
    "/schedules",
    f"/schedules/run?name={CRON_JOB}&queue=arq:queue",
    "/actions",
    "/jobs?function=none",
    "/hospital/entry?id=cms:7&seq=1",
    "/imports",
    "/hospitals?text=Merc",
    "/hospital?id=cms:1",
    "/nowhere",
    "/dead/letter?id=none",
)
LIVE_MS = 20_000
PICTURE: Any = {"width": 1_000, "height": 700}
LARGEST_PICTURE = 150_000


@pytest_asyncio.fixture
async def url(site: Site) -> AsyncIterator[str]:
    mongo, database = site.environment["MONGODB_URL"], site.environment["MONGODB_DATABASE"]
    async with serving(site.environment["REDIS_URL"], mongodb_url=mongo, mongodb_database=database) as page:
        yield page.url


def waiting(page: Page) -> Any:
    return page.get_by_role("row", name=re.compile("arq:queue 3|arq:queue 0")).first.get_by_role("cell").first


async def plant_dead_letter(site: Site) -> None:
    await site.put("ingest_hospital", {"record": {**RECORD, "wrong": 1}}, job_id=BAD)
    await site.put("ingest_hospital", {"record": RECORD}, job_id=GOOD)
    await site.worker()
    await site.result(BAD)
    await site.result(GOOD)


async def test_a_queue_grows_and_drains_before_the_eyes(browser: Browser, site: Site, url: str) -> None:
    async with opened(browser, url, "viewer") as page:
        await expect_that(page.get_by_text("No jobs are done: no worker is running.")).to_be_visible()
        for number in range(3):
            record = {**RECORD, "external_id": str(number)}
            await site.put("ingest_hospital", {"record": record}, job_id=f"ingest_hospital:{number}")
        await expect_that(waiting(page)).to_have_text("3", timeout=LIVE_MS)

        await site.worker()

        await expect_that(page.get_by_text("Healthy: 1 worker is ready.")).to_be_visible(timeout=LIVE_MS)
        await expect_that(waiting(page)).to_have_text("0", timeout=LIVE_MS)


async def test_a_dead_letter_is_found_edited_and_retried_and_succeeds(
    browser: Browser, site: Site, url: str
) -> None:
    await plant_dead_letter(site)
    async with opened(browser, url, "operator") as page:
        await page.get_by_role("navigation").get_by_role("link", name="Dead letters").click()
        await page.get_by_label("Class of the error").fill("InvalidPayload")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name=BAD).click()
        await page.get_by_role("link", name="Edit and retry").click()
        await page.get_by_role("button", name="Store and retry").click()
        await expect_that(page.get_by_role("alert")).to_contain_text("record.wrong: unknown field")
        corrected = json.dumps({"args": [{"record": {**RECORD, "external_id": "2"}}], "kwargs": {}})
        await page.get_by_label("Arguments of the job").fill(corrected)
        await page.get_by_role("button", name="Store and retry").click()
        await expect_that(page.get_by_role("status")).to_contain_text("The dead letter was retried")
        await site.until(lambda: site.redis.exists(f"arq:result:{BAD}"))

        await page.reload()

        await expect_that(page.get_by_text("with the outcome created")).to_be_visible()


async def test_a_viewer_sees_a_dead_letter_and_is_refused(browser: Browser, site: Site, url: str) -> None:
    await plant_dead_letter(site)
    async with opened(browser, url, "viewer") as page:
        await page.goto(f"/dead/letter?id={BAD}")
        await expect_that(page.get_by_text("••• (5 characters)")).to_be_visible()
        await expect_that(page.get_by_role("button", name="Retry")).to_have_count(0)

        await page.goto(f"/dead/edit?id={BAD}")

        await expect_that(
            page.get_by_text("Your role is viewer: only an operator may change something.")
        ).to_be_visible()


async def test_a_queue_is_paused_and_resumed_by_keyboard(browser: Browser, site: Site, url: str) -> None:
    async with opened(browser, url, "operator") as page:
        await page.goto("/queues")
        await page.get_by_label("Queue or function to pause").select_option("arq:queue")
        await page.get_by_label("Why, for the list of actions").fill("a deploy")
        await page.keyboard.press("Enter")
        await expect_that(page.get_by_role("status")).to_contain_text("The queue arq:queue is paused")
        await expect_that(page.get_by_role("row", name=re.compile("operator@dashboard a deploy"))).to_be_visible()
        assert [pause.name for pause in await read_pauses(site.redis)] == ["arq:queue"]

        await page.get_by_role("button", name="Resume queue arq:queue").press("Enter")

        await expect_that(page.get_by_text("Nothing is paused.")).to_be_visible()
        assert await read_pauses(site.redis) == []


@pytest.mark.parametrize("java_script", [True, False])
async def test_many_dead_letters_are_discarded_after_a_preview_and_the_progress_is_watched(
    browser: Browser, site: Site, url: str, *, java_script: bool
) -> None:
    await plant_dead_letters(site, 3)
    async with opened(browser, url, "operator", java_script_enabled=java_script) as page:
        await page.goto("/dead")
        await page.get_by_label("Class of the error").fill("ValueError")
        await page.get_by_role("button", name="Filter").press("Enter")
        await page.get_by_role("link", name="Discard all that match").click()
        await expect_that(page.get_by_text("3 dead letters to discard.")).to_be_visible()
        await page.get_by_label("At most so many per second").fill("2")
        await page.get_by_role("button", name="Discard 3").press("Enter")
        await expect_that(page.get_by_role("heading", name="Operation")).to_be_visible()
        if java_script:
            await expect_that(page.get_by_text("Finished: 3 of 3 discarded.")).to_be_visible(timeout=LIVE_MS)
            await expect_that(page.get_by_role("button", name="Stop")).to_have_count(0)
        else:
            await site.until(lambda: nothing_is_dead(site))
            await site.until(lambda: has_ended(site))
            await page.get_by_role("link", name="Load again").press("Enter")
            await expect_that(page.get_by_text("Finished: 3 of 3 discarded.")).to_be_visible()


async def plant_dead_letters(site: Site, count: int) -> None:
    failure = Failure(type="ValueError", message="m", tries=1, at_ms=int(time.time() * 1000))
    for number in range(count):
        letter = DeadLetter(
            job_id=f"ingest_hospital:hr-{number}", function="ingest_hospital", queue="arq:queue", payload_bytes=2,
            reason="unexpected exception", failure=failure, crashes=0, worker="vm:1:a",
        )  # fmt: skip
        await store_dead_letter(site.redis, letter, failure.at_ms)


async def nothing_is_dead(site: Site) -> bool:
    return not await site.redis.exists(keys.DEAD)


async def has_ended(site: Site) -> bool:
    return [it.state for it in await DeadOperations(site.redis).all()] == ["finished"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_page_has_a_serious_finding_of_axe_or_is_wider_than_a_phone(
    browser: Browser, site: Site, url: str, theme: str
) -> None:
    await plant_dead_letter(site)
    await site.worker("scheduled_settings.WorkerSettings")
    async with site.producer() as producer:
        record = HospitalRecord(hospital_name="Mercy", source="cms", external_id="7")
        await (await producer.register_hospital(record, actor="jane", reason="a licence")).outcome(20)
    await site.command("pause", "arq:queue:bulk", "--function", "register_hospital", "--reason", "a deploy")
    operation_id = await begin_slowly(site)
    found: dict[str, Any] = {}
    narrow = {"width": 360, "height": 740}
    async with opened(browser, url, "operator", color_scheme=theme, viewport=narrow, bypass_csp=True) as page:
        for path in (*PAGES, *OF_OPERATORS, f"/dead/operation?id={operation_id}"):
            await page.goto(path)
            results = await Axe().run(page)
            serious = [
                f"{violation['id']}: {violation['nodes'][0]['html']}"
                for violation in results.response["violations"]
                if violation["impact"] in ("serious", "critical")
            ]
            width = await page.evaluate("document.documentElement.scrollWidth")
            if serious or width > narrow["width"]:
                found[path] = (serious, width)

    assert found == {}


async def test_a_cron_job_runs_now_and_is_seen_by_keyboard_alone(browser: Browser, site: Site, url: str) -> None:
    await site.worker("scheduled_settings.WorkerSettings")
    async with opened(browser, url, "operator", java_script_enabled=False) as page:
        await page.goto("/schedules")
        await page.get_by_role("link", name=f"Run now: {CRON_JOB}").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Run it now").focus()
        await page.keyboard.press("Enter")
        await expect_that(page.get_by_role("status")).to_contain_text("The run was enqueued.")
        await site.until(lambda: site.redis.exists("arq:reported"))

        async def is_moved() -> bool:
            await page.goto(f"/jobs?function={CRON_JOB}")
            return await page.get_by_role("row").count() == 2

        await site.until(is_moved)
        await page.get_by_role("row").get_by_role("link").click()
        await expect_that(page.get_by_role("listitem").filter(has_text="try 1 ended well")).to_be_visible()
        await page.goto("/schedules")
        await expect_that(page.get_by_role("link", name="complete")).to_be_visible()
        await page.goto("/actions?act=run")
        await expect_that(page.get_by_role("cell", name="operator@dashboard")).to_be_visible()


async def begin_slowly(site: Site) -> str:
    """Begin an operation that nobody runs, so that its page shows all that there is."""
    operations = DeadOperations(site.redis)
    now_ms = await operations.now_ms()
    plan = Plan(act="retry", total=7, selection={"error": "E"}, rate=2, by="ops@vm", begun_ms=now_ms)
    return (await operations.begin(plan, new_operation_id(now_ms))).id


async def test_screenshots_of_the_pages_in_both_themes_are_small(browser: Browser, site: Site, url: str) -> None:
    """`make screenshots` runs this to write the pictures of docs/images/."""
    folder = Path(os.environ.get("SCREENSHOTS") or site.folder)
    await plant_dead_letter(site)
    await plant_dead_letters(site, 2)
    await site.command("pause", "arq:queue:bulk", "--actor", "ann@ops", "--reason", "the list of June is checked")
    for number in range(40):
        await site.put("ingest_hospitals", {}, job_id=f"ingest_hospitals:{number}", queue="arq:queue:bulk")
    pages = {"overview": "/", "queues": "/queues", "dead-letter": f"/dead/letter?id={BAD}"}
    sizes = {}
    for theme in ("light", "dark"):
        async with opened(browser, url, "operator", color_scheme=theme, viewport=PICTURE) as page:
            for name, path in pages.items():
                await page.goto(path)
                taken = await page.screenshot(path=folder / f"{name}-{theme}.png")
                sizes[name, theme] = len(taken)
                assert taken[:4] == b"\x89PNG"

    assert len(sizes) == 6
    assert {name: size for name, size in sizes.items() if size > LARGEST_PICTURE} == {}


async def test_the_page_works_without_javascript_and_by_keyboard(browser: Browser, site: Site, url: str) -> None:
    async with opened(browser, url, "viewer", java_script_enabled=False) as page:
        await page.keyboard.press("Tab")
        await expect_that(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")

        await expect_that(page.get_by_role("heading", name="Queues")).to_be_visible()
