"""The pages while MongoDB takes calls and answers none, as one does whose disk hangs."""

import asyncio
import time

import httpx

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import serving
from tests.support.waiting import until
from worker.embedded import EmbeddedMongo

# More than threads of the driver, which go on waiting after the page has given up.
LOADS = 60
# A page waits for 1.5 s, and many at once share the machine with other tests. The driver waits for 10 s.
LONGEST_S = 8.0


async def load(browser: httpx.AsyncClient, path: str) -> tuple[int, str, float]:
    began = time.monotonic()
    answer = await browser.get(path)
    return answer.status_code, answer.text, time.monotonic() - began


async def test_a_silent_mongodb_holds_up_no_page_and_is_found_again(site: Site) -> None:
    async with EmbeddedMongo() as mongo, serving(site.environment["REDIS_URL"], mongodb_url=mongo.url) as page:
        browser = await page.log_in("viewer")
        assert (await browser.get("/imports")).status_code == 200
        mongo.freeze()
        try:
            loads = await asyncio.gather(*(load(browser, "/imports") for _ in range(LOADS)))
            queues = await load(browser, "/queues")
        finally:
            mongo.thaw()

        assert {status for status, _, _ in loads} == {503}
        assert all("MongoDB has not answered for 1.5 s" in text for _, text, _ in loads)
        assert max(seconds for *_, seconds in [*loads, queues]) < LONGEST_S
        assert queues[0] == 200

        async def is_back() -> bool:
            return (await browser.get("/imports")).status_code == 200

        await until(is_back, 30)
