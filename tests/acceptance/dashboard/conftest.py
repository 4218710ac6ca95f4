from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import CHROMIUM
from tests.integration.monitoring.dashboard.conftest import Page, serving


@pytest_asyncio.fixture
async def page(site: Site) -> AsyncIterator[Page]:
    """The page over the test's own Redis and registry."""
    url, database = site.environment["MONGODB_URL"], site.environment["MONGODB_DATABASE"]
    async with serving(site.environment["REDIS_URL"], mongodb_url=url, mongodb_database=database) as page:
        yield page


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # Without its sandbox, which needs rights that root in a container does not have.
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()
