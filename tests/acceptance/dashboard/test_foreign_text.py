"""Names that other programs chose, on every page: none becomes markup, or moves what is beside it."""

from urllib.parse import quote

import pytest
from playwright.async_api import Browser
from playwright.async_api import Page as Tab

from tests.acceptance.conftest import Site
from tests.acceptance.dashboard.browsers import needs_browser, opened
from tests.integration.monitoring.dashboard.conftest import Page
from tests.support.dead_letters import store_dead_letter
from worker.contract import DEFAULT_QUEUE, HospitalChanges, HospitalRecord
from worker.contract.actions import Action
from worker.contract.job_ends import EndGroup, JobEnd, encode_traces
from worker.mongo.client import open_mongo
from worker.mongo.job_history import JobHistory
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.dead_operations import DeadOperations, Plan, new_operation_id
from worker.queue.heartbeats import CronPlan, Heartbeat, redis_time, write_heartbeat
from worker.queue.pauses import Pause, pause

pytestmark = needs_browser

NAME = "\"'><img src=x onerror=window.ran=1><script>window.ran=1</script>{{7*7}}</textarea></option>"
ID = quote(NAME, safe="")
HOSPITAL = quote(f"cms:{NAME}", safe="")
PATHS = (
    *("/", "/queues", f"/queue?name={DEFAULT_QUEUE}", "/jobs", f"/jobs?id={ID}", f"/jobs?function={ID}"),
    *("/dead", f"/dead?function={ID}&error={ID}", f"/dead/letter?id={ID}", f"/dead/edit?id={ID}"),
    *(f"/dead/discard?id={ID}", f"/dead/bulk?act=discard&function={ID}", "/dead/operations", "/workers"),
    *("/schedules", f"/schedules/run?name={ID}&queue={DEFAULT_QUEUE}", "/actions", f"/actions?actor={ID}"),
    *("/imports", "/hospitals?text=window", f"/hospitals?text={ID}", f"/hospital?id={HOSPITAL}"),
    *(f"/hospital/entry?id={HOSPITAL}&seq=1", f"/queue?name={ID}", f"/nowhere{ID}", f"/login?to={ID}"),
)
# Elements that no template has.
FOUND = "[window.ran ?? 0, document.querySelectorAll('img, main script, main [onerror]').length]"
BEFORE, AFTER, ACTOR = "مستشفى", "عيادة", "سارة"
# Where the texts begin that are found one after the other below an element.
LEFT = """
(element, words) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  let node = walker.nextNode(), from = 0;
  for (const word of words) {
    let start;
    while ((start = node.data.indexOf(word, from)) < 0) { node = walker.nextNode(); from = 0; }
    from = start + word.length;
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, from);
    found.push(range.getBoundingClientRect().left);
  }
  return found;
}
"""


async def plant(site: Site) -> str:
    """Use the name wherever there is one; returns the id of an operation."""
    redis, at = site.redis, await redis_time(site.redis)
    now_ms = int(at.timestamp() * 1000)
    await redis.zadd(DEFAULT_QUEUE, {NAME: now_ms + 10_000_000})
    await redis.zadd(keys.UNKNOWN, {NAME: now_ms})
    failure = Failure(type=NAME, message=NAME, tries=1, at_ms=now_ms, traceback=f"{NAME}\n{NAME}")
    letter = DeadLetter(
        job_id=NAME,
        function=NAME,
        queue=NAME,
        payload_bytes=2,
        reason=NAME,
        failure=failure,
        crashes=0,
        worker=NAME,
    )
    await store_dead_letter(redis, letter, now_ms)
    heartbeat = Heartbeat(
        worker=NAME, host=NAME, pid=1, ready=False, queues=[DEFAULT_QUEUE, NAME], slots=1, running=0, complete=0,
        retried=0, failed=0, started_at=at, at=at, functions=[NAME], held=[NAME],
        cron_jobs=[CronPlan(name=NAME, queue=DEFAULT_QUEUE, next_run=at)],
    )  # fmt: skip
    await write_heartbeat(redis, heartbeat)
    action = Action(actor=NAME, act="pause", target="queue", ids=(NAME,), reason=NAME, selection={"function": NAME})
    await pause(redis, [Pause("queue", NAME, now_ms, NAME, NAME), Pause("function", NAME, now_ms)], action)
    end = JobEnd(
        NAME, NAME, NAME, "dead", 1, now_ms, now_ms, now_ms, status=NAME, error=NAME, reason=NAME, batch=NAME,
        hospital_id=NAME,
    )  # fmt: skip
    mongo = open_mongo(site.settings)
    try:
        group = EndGroup(f"{now_ms:013}-000000-{NAME}", now_ms, NAME, encode_traces(NAME, [tuple(end)]).decode())
        await JobHistory(mongo, days=30, most_jobs=1_000_000).store([group])
    finally:
        await mongo.close()
    plan = Plan(act="retry", total=1, selection={"error": NAME}, rate=1, by=NAME, reason=NAME, begun_ms=now_ms)
    return (await DeadOperations(redis).begin(plan, new_operation_id(now_ms))).id


@pytest.mark.timeout(180)
async def test_no_name_becomes_markup_on_any_page(browser: Browser, site: Site, page: Page) -> None:
    await site.worker()
    async with site.producer() as producer:
        record = HospitalRecord(
            hospital_name=NAME, source="cms", external_id=NAME, city=NAME, attributes={"x": NAME}
        )
        await (await producer.register_hospital(record, actor=NAME, reason=NAME)).outcome(20)
    file = site.folder / "<img src=x onerror=window.ran=1>.csv"
    file.write_text("Name,City\nMercy,Paris\n")
    assert (await site.run("producers", "ingest", str(file), "--source", "mine")).code == 0
    operation_id = await plant(site)
    found = {}
    async with opened(browser, page.url, "operator") as tab:
        for path in (*PATHS, f"/dead/operation?id={operation_id}"):
            await tab.goto(path)
            found[path] = await tab.evaluate(FOUND)
        await tab.goto("/imports")
        await tab.get_by_role("row").get_by_role("link").click()
        found["/import"] = await tab.evaluate(FOUND)
        await tab.goto("/")
        # What the stream sends is looked at too.
        await tab.evaluate("document.querySelector('[data-part=findings] .quiet').textContent = 'old'")
        await site.until(lambda: is_new(tab))
        found["live"] = await tab.evaluate(FOUND)

    assert {path: what for path, what in found.items() if what != [0, 0]} == {}


async def is_new(tab: Tab) -> bool:
    return "As of" in str(await tab.evaluate("document.querySelector('[data-part=findings] .quiet').textContent"))


async def test_names_from_right_to_left_do_not_turn_round_what_is_beside_them(
    browser: Browser, site: Site, page: Page
) -> None:
    await site.worker()
    async with site.producer() as producer:
        record = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1", city=BEFORE)
        await (await producer.register_hospital(record, actor="jane", reason="a licence")).outcome(20)
        changes = HospitalChanges(city=AFTER)
        await (await producer.amend_hospital("cms:1", changes, actor=ACTOR, reason="moved")).outcome(20)
    # Without an ending in Latin letters, which would keep it apart.
    file = site.folder / BEFORE
    file.write_text("Name,City\nMercy,Paris\n")
    assert (await site.run("producers", "ingest", str(file), "--source", "mine")).code == 0
    async with opened(browser, page.url, "operator") as tab:
        await tab.goto("/hospital?id=cms:1")
        entry = tab.locator("main ol > li").filter(has_text=ACTOR)
        acted = await entry.evaluate(LEFT, ["by ", ACTOR, ", 20", " UTC"])
        changed = await entry.get_by_text("city").evaluate(LEFT, ["city: ", BEFORE, " → ", AFTER])
        await tab.goto("/imports")
        await tab.get_by_role("row").get_by_role("link").click()
        named = await tab.locator("dd").filter(has_text=BEFORE).evaluate(LEFT, [BEFORE, ": 1", " rows"])

    for places in (acted, changed, named):
        assert places == sorted(places)
