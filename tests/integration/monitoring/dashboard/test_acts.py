"""What a user of the page does is recorded before it is done."""

import json
import re

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import ACTIONS, Page, form_of, plant_dead_letter, post
from worker.contract import DEFAULT_QUEUE
from worker.contract.actions import Action
from worker.queue import actions, keys
from worker.queue.heartbeats import CronPlan
from worker.queue.scripts import Enqueue, Scripts

JOB = "ingest_hospital:1"


async def recorded(planted: Planted) -> list[Action]:
    return [Action.model_validate_json(data) for data in (await planted.redis.hgetall(keys.ACTIONS)).values()]


@pytest.mark.parametrize(
    ("path", "act", "target"),
    [
        ("/dead/retry", "retry", "dead letters"),
        ("/dead/discard", "discard", "dead letters"),
        ("/jobs/abort", "abort", "job"),
    ],
)
async def test_an_act_has_its_actor_and_its_reason(
    planted: Planted, page: Page, path: str, act: str, target: str
) -> None:
    if act == "abort":
        await Scripts(planted.redis).enqueue([Enqueue(JOB, "arq:queue", b"{}")])
    else:
        await plant_dead_letter(planted, JOB, {})

    await post(await page.log_in("operator"), path, JOB, reason=" fixed <b>in</b> 1.4 ")

    (found,) = await recorded(planted)
    assert (found.actor, found.act, found.target, found.ids) == ("operator@dashboard", act, target, (JOB,))
    assert found.reason == "fixed <b>in</b> 1.4"


async def test_what_is_refused_is_not_recorded(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, {})

    await post(await page.log_in("viewer"), "/dead/discard", JOB)

    assert await recorded(planted) == []


async def test_what_cannot_be_recorded_is_not_done(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant_dead_letter(planted, JOB, {})
    monkeypatch.setattr(actions, "MOST_WAITING", 0)

    answer = await post(await page.log_in("operator"), "/dead/discard", JOB)

    assert answer.status_code == 503
    assert "wait in Redis to be recorded in MongoDB, so nothing was done" in answer.text
    assert await planted.redis.hexists(keys.DEAD, JOB)


async def test_every_form_that_acts_asks_for_a_reason(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, {})
    await planted.enqueue("ingest_hospital:2")
    plan = CronPlan(name="cron:report", queue=DEFAULT_QUEUE)
    await planted.heartbeat(functions=["cron:report"], cron_jobs=[plan])
    browser = await page.log_in("operator")
    await post(browser, "/queues/pause", what=f"queue:{DEFAULT_QUEUE}")
    found = {}
    for address in (
        *(f"/dead/letter?id={JOB}", f"/dead/edit?id={JOB}", f"/dead/discard?id={JOB}", "/dead/bulk?act=retry"),
        *("/queues", "/jobs?id=ingest_hospital:2", f"/schedules/run?name={plan.name}&queue={DEFAULT_QUEUE}"),
    ):
        shown = (await browser.get(address)).text.partition("<main")[2]
        for path, fields in re.findall(r'<form method="post" action="([^"?]+)[^>]*>(.*?)</form>', shown, re.DOTALL):
            label = re.search(r'<input id="([^"]+)" name="reason" maxlength="1000"', fields)
            found[path] = label is not None and f'<label for="{label[1]}">' in fields

    # Those of operations and of imports need one that runs: see test_operation_pages.py and acceptance/.
    elsewhere = {"/dead/operation/stop", "/dead/operation/continue", "/import/cancel"}
    assert found == dict.fromkeys(set(ACTIONS) - elsewhere, True)


@pytest.mark.parametrize("path", ["/dead/retry", "/dead/discard", "/dead/edit"])
async def test_with_a_reason_that_is_too_long_nothing_is_done(planted: Planted, page: Page, path: str) -> None:
    await plant_dead_letter(planted, JOB, {"record": {"hospital_name": "Mercy"}})
    browser = await page.log_in("operator")
    digest, call = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)

    answer = await post(browser, path, JOB, arguments=json.dumps(call), digest=digest, reason="r" * 1_001)

    assert (answer.status_code, "A reason may have 1,000 characters." in answer.text) == (400, True)
    assert await planted.redis.hexists(keys.DEAD, JOB)
    assert await recorded(planted) == []
