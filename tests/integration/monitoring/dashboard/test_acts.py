"""What a user of the page does is recorded before it is done."""

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page, plant_dead_letter, post
from worker.contract.actions import Action
from worker.queue import actions, keys
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
async def test_an_act_has_its_actor(planted: Planted, page: Page, path: str, act: str, target: str) -> None:
    if act == "abort":
        await Scripts(planted.redis).enqueue([Enqueue(JOB, "arq:queue", b"{}")])
    else:
        await plant_dead_letter(planted, JOB, {})

    await post(await page.log_in("operator"), path, JOB)

    (found,) = await recorded(planted)
    assert (found.actor, found.act, found.target, found.ids) == ("operator@dashboard", act, target, (JOB,))


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
