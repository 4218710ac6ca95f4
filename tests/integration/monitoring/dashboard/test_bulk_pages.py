"""Retry and discard of all dead letters that a filter selects: previewed, confirmed, begun."""

import asyncio
import html
import json
import re
from collections.abc import Mapping

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.bulk import FAST, SLOW, SLOWEST, ended, fields_of, plant, previewed
from tests.integration.monitoring.dashboard.conftest import Page, post, token_of
from tests.integration.monitoring.dashboard.test_acts import recorded
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE
from worker.monitoring.dashboard.pages import dead_bulk
from worker.queue import actions, keys
from worker.queue.dead_operations import DeadOperations


async def test_a_preview_counts_what_the_filter_selects_and_changes_nothing(planted: Planted, page: Page) -> None:
    await plant(planted, 7)
    await plant(planted, 2, "register_hospital", "ValueError")
    without = json.loads(await planted.redis.hget(keys.DEAD, "ingest_hospital:000"))
    await planted.redis.hset(keys.DEAD, "ingest_hospital:000", json.dumps(without | {"payload_bytes": 0}))
    browser = await page.log_in("operator")
    listed = (await browser.get("/dead", params={"function": "ingest_hospital"})).text
    link = re.search(r'<a href="(/dead/bulk\?act=retry[^"]+)">Retry all that match</a>', listed)
    assert link

    some = (await browser.get(html.unescape(link[1]))).text

    assert "Selected: function <bdi>ingest_hospital</bdi>." in some
    assert "7 dead letters to retry." in some
    assert re.findall(r">(\w+:\d{3})</a>", some) == [f"ingest_hospital:{number:03}" for number in range(5)]
    assert "oldest first; 2 more follow" in some
    assert "9 dead letters to discard." in await previewed(browser, "discard")
    assert "1 of them cannot be retried, because no payload is stored" in some
    assert "2 dead letters to discard." in await previewed(browser, "discard", error=" ValueError ")
    assert "there is nothing to retry" in await previewed(browser, "retry", error="Nonesuch")
    assert "a patient" not in some
    assert await planted.redis.hlen(keys.DEAD) == 9
    assert not await planted.redis.exists(keys.DEAD_OPERATIONS, keys.ACTIONS)


@pytest.mark.parametrize(("act", "done", "queued"), [("retry", "retried", 3), ("discard", "discarded", 0)])
async def test_what_is_confirmed_is_done_and_recorded(
    planted: Planted, page: Page, act: str, done: str, queued: int
) -> None:
    await plant(planted, 3)
    await plant(planted, 2, "register_hospital")
    browser = await page.log_in("operator")
    fields = fields_of(await previewed(browser, act, function="ingest_hospital"))
    assert fields["rate"] == "100"

    answer = await post(browser, "/dead/bulk", **{**fields, "rate": FAST, "reason": "fixed in 1.4"})

    address = answer.headers["location"]
    operation_id = address.partition("id=")[2]
    found = await ended(planted, operation_id)
    assert (found.done, found.plan.selection) == (3, {"function": "ingest_hospital"})
    assert await planted.redis.hlen(keys.DEAD) == 2
    assert await planted.redis.zcard(DEFAULT_QUEUE) == queued
    shown = (await browser.get(address)).text
    assert f"Finished: 3 of 3 {done}." in shown
    assert "by operator@dashboard" in shown
    assert "fixed in 1.4" in shown
    assert 'href="/dead/operation?id=' + operation_id in (await browser.get("/dead/operations")).text
    await until(lambda: both_recorded(planted))
    said = sorted(await recorded(planted), key=lambda action: action.at)
    assert [(it.actor, it.act, it.count, it.result, it.operation) for it in said] == [
        ("operator@dashboard", act, 3, "begun", operation_id),
        ("operator@dashboard", act, 3, "finished", operation_id),
    ]
    assert {(it.reason, it.selection["function"]) for it in said} == {("fixed in 1.4", "ingest_hospital")}


async def both_recorded(planted: Planted) -> bool:
    return len(await recorded(planted)) == 2


async def test_too_many_to_count_at_once_are_counted_when_asked(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(planted, 250)
    monkeypatch.setattr(dead_bulk, "_COUNTED_AT_ONCE_S", 0.0)
    browser = await page.log_in("operator")

    first = await previewed(browser, "discard", error="E")

    assert "At least 200 dead letters to discard." in first
    assert "<form" not in first.partition("<main")[2]
    link = re.search(r'<a href="(/dead/bulk[^"]+)">Count them all</a>', first)
    assert link
    assert "250 dead letters to discard." in (await browser.get(html.unescape(link[1]))).text
    monkeypatch.setattr(dead_bulk, "_COUNTED_WITHIN_S", 0.0)
    assert (await browser.get(html.unescape(link[1]))).status_code == 503


async def test_what_dies_after_the_preview_is_not_meant(planted: Planted, page: Page) -> None:
    await plant(planted, 1)
    browser = await page.log_in("operator")
    fields = fields_of(await previewed(browser, "discard"))
    await planted.redis.zadd(keys.DEAD_INDEX, {"register_hospital:000": int(fields["begun"]) + 1})
    await planted.redis.hset(keys.DEAD, "register_hospital:000", "{}")

    answer = await post(browser, "/dead/bulk", **{**fields, "rate": FAST})

    assert (await ended(planted, answer.headers["location"].partition("id=")[2])).done == 1
    assert await planted.redis.hkeys(keys.DEAD) == [b"register_hospital:000"]


async def test_a_form_that_is_sent_twice_begins_one_operation(planted: Planted, page: Page) -> None:
    await plant(planted, 3)
    browser = await page.log_in("operator")
    fields = {**fields_of(await previewed(browser, "retry")), "rate": SLOW}

    first, second = [await post(browser, "/dead/bulk", **fields) for _ in range(2)]

    assert first.headers["location"] == second.headers["location"]
    assert len(await DeadOperations(planted.redis).all()) == 1
    assert len(await recorded(planted)) == 1


async def test_a_form_that_is_sent_twice_at_once_begins_one_operation(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(planted, 3)
    browser = await page.log_in("operator")
    shown = await previewed(browser, "discard")
    fields = {**fields_of(shown), "rate": SLOWEST, "csrf": token_of(await browser.get("/jobs"))}
    both, arrived, now_ms = asyncio.Barrier(2), [1, 2], DeadOperations.now_ms

    async def now_of_both(operations: DeadOperations) -> int:
        if arrived:
            arrived.pop()
            await both.wait()
        return await now_ms(operations)

    monkeypatch.setattr(DeadOperations, "now_ms", now_of_both)

    answers = await asyncio.gather(*(browser.post("/dead/bulk", data=fields) for _ in range(2)))

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [action.result for action in await recorded(planted)] == ["begun"]
    assert len(page.services.dead_runner._running) == 1


WRONG: tuple[Mapping[str, str], ...] = (
    {"act": "edit"},
    {"operation": "x"},
    {"operation": "20261128-052900-9753:" + "x" * 80},
    {"count": "-1"},
    {"count": "many"},
    {"begun": "9999999999999999"},
    {"begun": ""},
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_a_form_that_is_not_of_this_page_does_nothing(
    planted: Planted, page: Page, wrong: Mapping[str, str]
) -> None:
    await plant(planted, 2)
    browser = await page.log_in("operator")
    fields = fields_of(await previewed(browser, "discard"))

    answer = await post(browser, "/dead/bulk", **{**fields, **wrong})

    assert (answer.status_code, "nothing was done" in answer.text) == (400, True)
    assert not await planted.redis.exists(keys.DEAD_OPERATIONS, keys.ACTIONS)
    assert await planted.redis.hlen(keys.DEAD) == 2


@pytest.mark.parametrize("rate", ["", "0", "-1", "nan", "inf", "fast"])
async def test_a_rate_that_is_none_is_refused(planted: Planted, page: Page, rate: str) -> None:
    await plant(planted, 2)
    browser = await page.log_in("operator")
    fields = fields_of(await previewed(browser, "discard"))

    answer = await post(browser, "/dead/bulk", **{**fields, "rate": rate})

    assert (answer.status_code, "from 0.01 on" in answer.text) == (400, True)
    assert await planted.redis.hlen(keys.DEAD) == 2


async def test_no_operation_begins_that_cannot_be_recorded(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(planted, 1)
    browser = await page.log_in("operator")
    fields = fields_of(await previewed(browser, "discard"))
    monkeypatch.setattr(actions, "MOST_WAITING", 0)

    answer = await post(browser, "/dead/bulk", **fields)

    assert answer.status_code == 503
    assert await planted.redis.hlen(keys.DEAD) == 1
    assert not await planted.redis.exists(keys.DEAD_OPERATIONS)
