"""Debian's Chromium, driven by Playwright (`apt-get install chromium`)."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page
from playwright.async_api import expect as expect_that

from tests.integration.monitoring.dashboard.conftest import PASSWORD

# On a busy machine the default of 5 s is too short for a browser that has just started.
expect_that.set_options(timeout=20_000)
CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None,
    reason="NO BROWSER: the page is tested over HTTP only; install Chromium (Debian: apt-get install chromium)",
)


@asynccontextmanager
async def opened(browser: Browser, url: str, role: str, **options: Any) -> AsyncIterator[Page]:
    """Log a user in, in a window of its own; at the end the browser must not have complained."""
    context: BrowserContext = await browser.new_context(base_url=url, **options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto("/login")
    await page.get_by_label("Name").fill(role)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect_that(page.get_by_role("heading", name="Overview")).to_be_visible()
    yield page
    await context.close()
    # A status such as 403, or a server that is gone, is one that the test asked for.
    asked_for = ("the server responded with a status", "net::ERR_")
    assert [text for text in complaints if not any(part in text for part in asked_for)] == []
