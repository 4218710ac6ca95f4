"""The page of what operators did, over actions in MongoDB and in Redis."""

import html
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import ROLES, Page, post, serving
from worker.contract.actions import Action
from worker.mongo.actions import ACTIONS, store_actions
from worker.mongo.client import MongoHandle
from worker.mongo.documents import now
from worker.queue import keys
from worker.queue.actions import keep_action

GONE: dict[str, Any] = {"mongodb_url": "mongodb://127.0.0.1:1/?replicaSet=rs0"}
PAUSE = Action(actor="ops@vm", act="pause", target="queue", ids=("arq:queue",), reason="an <b>outage", count=1)
RETRY = Action(
    actor="ann@dashboard", act="retry", target="dead letters", selection={"function": "f"}, count=1_200,
    at=PAUSE.at - timedelta(days=2), result="stopped",
)  # fmt: skip


def rows_in(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return actor and act of each row."""
    assert answer.status_code == 200
    return re.findall(r'<tr><th scope="row">[^<]*</th><td>([^<]*)</td><td>([^<]*)</td>', answer.text)


@pytest.mark.parametrize("role", ROLES)
async def test_actions_are_shown_to_every_role_and_found_by_each_filter(
    site: Site, page: Page, registry: MongoHandle, role: str
) -> None:
    await store_actions(registry, [RETRY])
    await keep_action(site.redis, PAUSE)
    pause, retry = ("ops@vm", "pause"), ("ann@dashboard", "retry")
    browser = await page.log_in(role)

    for wanted, rows in (
        ({}, [pause, retry]),
        ({"actor": " ops@vm "}, [pause]),
        ({"actor": "ann@dashboard"}, [retry]),
        ({"act": "retry"}, [retry]),
        ({"act": "pause"}, [pause]),
        ({"act": "pause", "actor": "ann@dashboard"}, []),
        ({"since": f"{now() - timedelta(days=1):%Y-%m-%dT%H:%M}"}, [pause]),
        ({"until": f"{now() - timedelta(days=1):%Y-%m-%dT%H:%M}"}, [retry]),
    ):
        assert rows_in(await browser.get("/actions", params=wanted)) == rows, wanted
    shown = (await browser.get("/actions")).text
    assert "an &lt;b&gt;outage" in shown
    assert "dead letters with <bdi>function f</bdi> (1,200 in all)" in shown
    assert "<td>stopped</td><td>not given</td>" in shown
    assert (await browser.get("/actions?since=x")).status_code == 400


async def test_no_action_is_left_out_or_listed_twice_page_by_page(
    site: Site, page: Page, registry: MongoHandle
) -> None:
    # Many at the same time, and some in both places: they are moved just now.
    made = [PAUSE.model_copy(update={"id": f"{number:03}", "actor": f"{number:03}"}) for number in range(120)]
    await store_actions(registry, made[:90])
    for action in made[80:]:
        await keep_action(site.redis, action)
    browser = await page.log_in("viewer")

    found: list[str] = []
    address = "/actions?act=pause"
    while address:
        answer = await browser.get(address)
        found += [actor for actor, _ in rows_in(answer)]
        more = re.search(r'<a href="([^"]+)">Next page', answer.text)
        address = html.unescape(more[1]) if more else ""

    assert found == [action.actor for action in made[::-1]]
    assert "No more actions match" in (await browser.get("/actions?after=0-")).text
    assert rows_in(await browser.get("/actions?after=nonsense"))


async def test_an_act_on_the_page_is_listed_with_a_link_to_its_job(
    site: Site, page: Page, registry: MongoHandle
) -> None:
    browser = await page.log_in("operator")
    assert "Nobody has acted yet" in (await browser.get("/actions")).text
    await site.put("ingest_hospital", {}, job_id="ingest_hospital:7")

    await post(browser, "/jobs/abort", "ingest_hospital:7")

    answer = await browser.get("/actions")
    assert rows_in(answer) == [("operator@dashboard", "abort")]
    assert '<a href="/jobs?id=ingest_hospital%3A7">ingest_hospital:7</a>' in answer.text


async def test_without_mongodb_what_waits_in_redis_is_shown_with_what_to_do(site: Site) -> None:
    await keep_action(site.redis, PAUSE)
    await site.redis.hset(keys.ACTIONS, "foreign", "[]")
    async with serving(site.environment["REDIS_URL"], **GONE) as page:
        answer = await (await page.log_in("viewer")).get("/actions")

    assert rows_in(answer) == [("ops@vm", "pause")]
    assert "Restore MongoDB, then load this page again. Until then, only acts" in answer.text


async def test_an_action_of_a_later_version_is_shown(site: Site, page: Page, registry: MongoHandle) -> None:
    await store_actions(registry, [PAUSE])
    await registry.database.command("collMod", ACTIONS, validator={})
    later = {"_id": "z", "at": now(), "actor": "x", "act": "teleport", "ids": 7, "selection": [], "count": "all"}
    await registry.database[ACTIONS].insert_many([later, {"_id": "y"}])

    answer = await (await page.log_in("viewer")).get("/actions")

    assert rows_in(answer) == [("x", "teleport"), ("ops@vm", "pause"), ("", "")]


async def test_each_filter_is_found_by_an_index(registry: MongoHandle) -> None:
    await store_actions(registry, [PAUSE, RETRY])
    newest = {"at": -1, "_id": -1}
    wanted: dict[str, str]
    for wanted, index in (
        ({}, "at_-1__id_-1"),
        ({"actor": "x"}, "actor_1_at_-1__id_-1"),
        ({"act": "pause"}, "act_1_at_-1__id_-1"),
    ):
        command = {"find": ACTIONS, "filter": wanted, "sort": newest, "limit": 51}
        plan = await registry.database.command({"explain": command, "verbosity": "queryPlanner"})
        found = str(plan["queryPlanner"]["winningPlan"])
        assert (f"'indexName': '{index}'" in found, "'SORT'" in found) == (True, False), found
