"""The pages of hospitals, over a registry that a worker has filled."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import Page, serving
from worker.contract import HospitalRecord


@pytest_asyncio.fixture
async def page(site: Site) -> AsyncIterator[Page]:
    url, database = site.environment["MONGODB_URL"], site.environment["MONGODB_DATABASE"]
    async with serving(site.environment["REDIS_URL"], mongodb_url=url, mongodb_database=database) as page:
        yield page


async def fill(site: Site) -> None:
    await site.worker()
    async with site.producer() as producer:
        for number, name in enumerate(("Mercy <b>East</b>", "Mercy West", "Saint Ann"), start=1):
            record = HospitalRecord(hospital_name=name, source="cms", external_id=str(number), city="Paris")
            receipt = await producer.register_hospital(record, actor="jane", reason="a licence")
            await receipt.outcome(20)


async def test_hospitals_are_found_by_identity_and_by_a_part_of_the_name(site: Site, page: Page) -> None:
    await fill(site)
    browser = await page.log_in("viewer")

    listed = (await browser.get("/hospitals", params={"text": " mercy "})).text
    by_identity = await browser.get("/hospitals", params={"text": "cms:3"})
    nothing = (await browser.get("/hospitals", params={"text": "nosuch ("})).text

    assert listed.count('href="/hospital?id=cms%3A') == 2
    assert "Mercy &lt;b&gt;East&lt;/b&gt;" in listed
    assert (by_identity.status_code, by_identity.headers["location"]) == (303, "/hospital?id=cms%3A3")
    assert "no name contains this text" in nothing


async def test_the_history_of_a_hospital_is_for_operators_and_auditors(site: Site, page: Page) -> None:
    await fill(site)

    for role, sees in (("viewer", False), ("operator", True), ("auditor", True)):
        browser = await page.log_in(role)
        shown = (await browser.get("/hospital", params={"id": "cms:3"})).text
        assert "Saint Ann" in shown
        assert ("by jane" in shown, "a licence" in shown) == (sees, sees), role
        assert ("hospital_name: nothing → Saint Ann" in shown) == sees
        assert (await browser.get("/hospital", params={"id": "none"})).status_code == 404
