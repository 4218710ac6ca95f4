"""The pages of hospitals, over a registry that a worker has filled."""

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import Page
from worker.contract import HospitalChanges, HospitalRecord
from worker.mongo.client import open_mongo


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
        assert ("by <bdi>jane</bdi>" in shown, "a licence" in shown) == (sees, sees), role
        assert ("hospital_name: <bdi>nothing</bdi> → <bdi>Saint Ann</bdi>" in shown) == sees
        assert (await browser.get("/hospital", params={"id": "none"})).status_code == 404


async def test_an_entry_of_the_history_is_for_operators_and_auditors(site: Site, page: Page) -> None:
    await fill(site)
    async with site.producer() as producer:
        changes = HospitalChanges(beds=64)
        receipt = await producer.amend_hospital("cms:1", changes, actor="joe", reason="ward <b>closed")
        await receipt.outcome(20)

    for role, status in (("viewer", 403), ("operator", 200), ("auditor", 200)):
        browser = await page.log_in(role)
        listed = (await browser.get("/hospital?id=cms:1")).text
        shown = await browser.get("/hospital/entry?id=cms:1&seq=2")
        assert shown.status_code == status, role
        assert ("ward &lt;b&gt;closed" in shown.text) == (status == 200)
        assert ('href="/hospital/entry?id=cms%3A1&amp;seq=2"' in listed) == (status == 200)
        assert (await browser.get("/hospital/entry?id=cms:1&seq=9")).status_code == (404 if status == 200 else 403)

    browser = await page.log_in("auditor")
    answer = await browser.get("/hospital/entry?id=cms:1&seq=2")
    assert '<th scope="row">beds</th><td>nothing</td><td>64</td>' in answer.text
    assert '<a href="/jobs?id=amend_hospital' in answer.text
    assert "The hash is that of the content, and the entry follows entry 1." in answer.text
    assert "Entry before" in answer.text
    assert "Entry after" not in answer.text
    assert "<dt>Hash before</dt><dd>none</dd>" in (await browser.get("/hospital/entry?id=cms:1&seq=1")).text
    assert (await browser.get("/hospital/entry?id=cms:1&seq=0")).status_code == 400


async def test_an_entry_that_was_changed_is_named_so(site: Site, page: Page) -> None:
    await fill(site)
    async with site.producer() as producer:
        receipt = await producer.withdraw_hospital("cms:1", actor="joe", reason="closed")
        await receipt.outcome(20)
    browser = await page.log_in("auditor")
    assert "It is not stored: it was removed." in (await browser.get("/hospital/entry?id=cms:1&seq=2")).text
    mongo = open_mongo(site.settings)

    await mongo.logs.update_one({"hospital_id": "cms:1", "seq": 1}, {"$set": {"actor": "Eve"}})
    changed = (await browser.get("/hospital/entry?id=cms:1&seq=1")).text
    await mongo.logs.delete_one({"hospital_id": "cms:1", "seq": 1})
    missing = (await browser.get("/hospital/entry?id=cms:1&seq=2")).text
    await mongo.close()

    assert "The audit log was changed: hash does not match the entry&#39;s content." in changed
    assert "The audit log was changed: the entry before it, 1, is missing." in missing
