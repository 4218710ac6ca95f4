from collections.abc import AsyncIterator

import pytest_asyncio

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import Page, serving


@pytest_asyncio.fixture
async def page(site: Site) -> AsyncIterator[Page]:
    """The page over the test's own Redis and registry."""
    url, database = site.environment["MONGODB_URL"], site.environment["MONGODB_DATABASE"]
    async with serving(site.environment["REDIS_URL"], mongodb_url=url, mongodb_database=database) as page:
        yield page
