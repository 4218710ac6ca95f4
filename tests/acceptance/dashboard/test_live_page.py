"""What a user sees of a live page when its session, its connection or its server ends."""

import os
import signal
from contextlib import AsyncExitStack

from playwright.async_api import Browser, Locator, Page
from playwright.async_api import expect as expect_that

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import needs_browser, opened
from tests.acceptance.dashboard.page_process import page_process
from tests.integration.monitoring.dashboard.conftest import PASSWORD
from tests.integration.monitoring.dashboard.conftest import Page as Served
from worker.contract import DEFAULT_QUEUE
from worker.embedded.ports import choose_port

pytestmark = needs_browser

LIVE_MS = 20_000
# What `live.js` waits for an update.
SILENT_MS = 21_000
# So many connections to one server a browser opens.
MOST_CONNECTIONS = 6
SHOW_OR_HIDE = """
isHidden => {
  Object.defineProperty(document, "hidden", {get: () => isHidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def lost(page: Page) -> Locator:
    return page.get_by_role("alert").filter(has_text="The connection is lost")


async def fill(site: Site, jobs: int) -> None:
    """Let so many jobs wait."""
    await site.redis.zadd(DEFAULT_QUEUE, {f"job:{number}": 1 for number in range(jobs)})


async def test_when_the_session_ends_the_page_says_so_and_leads_back(
    browser: Browser, site: Site, page: Served
) -> None:
    async with opened(browser, page.url, "viewer") as tab:
        page.services.sessions.close((await tab.context.cookies())[0]["value"])

        await expect_that(tab.get_by_role("status")).to_contain_text("Your session has ended", timeout=LIVE_MS)

        await tab.get_by_label("Name").fill("viewer")
        await tab.get_by_label("Password").fill(PASSWORD)
        await tab.keyboard.press("Enter")
        await expect_that(tab.get_by_role("heading", name="Overview")).to_be_visible()


async def test_when_the_page_is_started_anew_the_browser_finds_it(browser: Browser, site: Site) -> None:
    port = choose_port()
    async with AsyncExitStack() as server:
        url, _ = await server.enter_async_context(page_process(site, port=port))
        async with opened(browser, url, "viewer") as tab:
            await expect_that(lost(tab)).to_be_hidden()
            await server.aclose()
            await expect_that(lost(tab)).to_be_visible(timeout=LIVE_MS)

            async with page_process(site, port=port):
                # Its sessions are gone.
                status = tab.get_by_role("status")
                await expect_that(status).to_contain_text("Your session has ended", timeout=LIVE_MS)


async def test_a_server_that_is_silent_is_noticed_and_so_is_its_return(browser: Browser, site: Site) -> None:
    async with page_process(site) as (url, pid), opened(browser, url, "viewer") as tab:
        await tab.clock.install()
        await tab.reload()
        cell = tab.get_by_role("row", name=DEFAULT_QUEUE).first.get_by_role("cell").first
        await expect_that(cell).to_have_text("0")
        os.kill(pid, signal.SIGSTOP)
        try:
            await tab.clock.fast_forward(SILENT_MS)
            await expect_that(lost(tab)).to_be_visible()
            await fill(site, 3)
        finally:
            os.kill(pid, signal.SIGCONT)

        await expect_that(cell).to_have_text("3", timeout=LIVE_MS)
        await expect_that(lost(tab)).to_be_hidden()


async def test_what_has_the_focus_is_brought_up_to_date_and_keeps_it(
    browser: Browser, site: Site, page: Served
) -> None:
    async with opened(browser, page.url, "viewer") as tab:
        region = tab.get_by_role("region", name="Queues at this moment")
        await region.focus()
        await tab.evaluate("window.before = document.activeElement")

        await fill(site, 3)

        cell = region.get_by_role("row", name=DEFAULT_QUEUE).first.get_by_role("cell").first
        await expect_that(cell).to_have_text("3", timeout=LIVE_MS)
        assert await tab.evaluate("document.activeElement === window.before && window.before.isConnected")


async def test_tabs_that_nobody_sees_keep_no_other_from_loading(browser: Browser, site: Site, page: Served) -> None:
    async with opened(browser, page.url, "viewer") as first:
        hidden = [first, *[await first.context.new_page() for _ in range(MOST_CONNECTIONS - 1)]]
        for tab in hidden:
            await tab.goto("/")
            await tab.evaluate(SHOW_OR_HIDE, True)

        seen = await first.context.new_page()
        await seen.goto("/")
        await fill(site, 3)
        await first.evaluate(SHOW_OR_HIDE, False)

        for tab in (seen, first):
            cell = tab.get_by_role("row", name=DEFAULT_QUEUE).first.get_by_role("cell").first
            await expect_that(cell).to_have_text("3", timeout=LIVE_MS)
