"""Operations on many dead letters on the page: watched, stopped, interrupted and continued."""

import json
import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.bulk import (
    SLOW,
    SLOWEST,
    begin,
    ended,
    fewer_than,
    has_result,
    operation,
    plant,
)
from tests.integration.monitoring.dashboard.conftest import Page, post, serving
from tests.integration.monitoring.dashboard.test_acts import recorded
from tests.support.waiting import until
from worker.commands import dead_operations as commands
from worker.contract.actions import Action
from worker.embedded import EmbeddedRedis
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.pages import dead_operations
from worker.monitoring.dashboard.services import Services
from worker.queue import keys
from worker.queue.actions import keep_action
from worker.queue.dead_operations import DeadOperations, Plan, new_operation_id


async def hurry(planted: Planted, operation_id: str) -> None:
    """Let an operation that is to go on have no rate."""
    stored = json.loads(await planted.redis.hget(keys.DEAD_OPERATION + operation_id, "plan"))
    await planted.redis.hset(keys.DEAD_OPERATION + operation_id, "plan", json.dumps(stored | {"rate": None}))


async def test_an_operation_is_watched_stopped_and_continued(planted: Planted, page: Page) -> None:
    await plant(planted, 3)
    browser = await page.log_in("operator")
    operation_id = await begin(browser, "discard", SLOWEST)
    await until(lambda: fewer_than(planted, 3))
    address = f"/dead/operation?id={operation_id}"
    running = (await browser.get(address)).text
    assert "Running: 1 of 3 discarded." in running
    assert f'data-live="/dead/operation/live?id={operation_id}"' in running
    assert ("Stop</button>" in running, "Continue</button>" in running) == (True, False)
    assert '<label for="why-stopped">' in running

    await post(browser, "/dead/operation/stop", operation_id, reason="too fast")

    stopped = (await browser.get(address)).text
    assert "Stopped: 1 of 3 discarded." in stopped
    assert "data-live" not in stopped
    assert ("Stop</button>" in stopped, "Continue</button>" in stopped) == (False, True)
    assert '<label for="why-continued">' in stopped
    # It has noticed, so that it cannot go on beside the one that continues.
    await until(lambda: has_result(planted, "stopped"))
    assert await planted.redis.hlen(keys.DEAD) == 2
    await hurry(planted, operation_id)

    await post(browser, "/dead/operation/continue", operation_id, reason="go on")

    assert (await ended(planted, operation_id)).done == 3
    await until(lambda: has_result(planted, "finished"))
    acts = [action.act for action in sorted(await recorded(planted), key=lambda action: action.at)]
    assert acts == ["discard", "stop", "discard", "continue", "discard"]
    reasons = {action.act: action.reason for action in await recorded(planted) if action.act != "discard"}
    assert reasons == {"stop": "too fast", "continue": "go on"}
    assert {action.operation for action in await recorded(planted)} == {operation_id}
    for path, words in (("stop", "There is nothing to stop"), ("continue", "There is nothing to continue")):
        answer = await post(browser, f"/dead/operation/{path}", operation_id)
        assert words in (await browser.get(answer.headers["location"])).text
    assert len(await recorded(planted)) == 5


@pytest.mark.parametrize(("path", "before"), [("stop", "running"), ("continue", "stopped")])
async def test_an_operation_that_ends_just_before_it_is_acted_on_is_said_to_be_finished(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch, path: str, before: str
) -> None:
    operation_id = await idle(planted, before)

    async def record_and_finish(services: Services, *arguments: Any) -> None:
        await record(services, *arguments)
        await services.redis.hset(keys.DEAD_OPERATION + operation_id, "state", "finished")

    monkeypatch.setattr(dead_operations, "record", record_and_finish)
    browser = await page.log_in("operator")

    answer = await post(browser, f"/dead/operation/{path}", operation_id)

    shown = (await browser.get(answer.headers["location"])).text
    assert f"There is nothing to {path}: the operation is finished." in shown
    # What would run it would record a second end.
    assert not page.services.dead_runner._running
    assert sorted(action.result for action in await recorded(planted)) == ["asked for", "begun"]


async def test_a_command_does_not_continue_an_operation_that_has_just_ended(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation_id = await idle(planted, "stopped")

    async def keep_and_finish(redis: Any, action: Action) -> None:
        await keep_action(redis, action)
        await redis.hset(keys.DEAD_OPERATION + operation_id, "state", "finished")

    monkeypatch.setattr(commands, "keep_action", keep_and_finish)

    done = await planted.command("dead", "operations", "continue", operation_id)

    assert (done.code, done.out) == (1, "")
    assert done.err == f"hospital-worker: nothing to continue: operation {operation_id} has finished\n"
    assert sorted(action.act for action in await recorded(planted)) == ["continue", "discard"]


async def idle(planted: Planted, state: str) -> str:
    """Begin an operation that nobody runs, and return its id."""
    operations = DeadOperations(planted.redis)
    now_ms = await operations.now_ms()
    plan = Plan(act="discard", total=1, by="ops@vm", begun_ms=now_ms)
    begun = await operations.begin(plan, new_operation_id(now_ms))
    await planted.redis.hset(keys.DEAD_OPERATION + begun.id, "state", state)
    return begun.id


async def test_the_stream_sends_the_progress_until_the_operation_ends(planted: Planted, page: Page) -> None:
    await plant(planted, 2)
    browser = await page.log_in("operator")
    operation_id = await begin(browser, "discard", SLOW)
    async with browser.stream("GET", "/dead/operation/live", params={"id": operation_id}) as answer:
        events = [line async for line in answer.aiter_lines() if line]

    assert "Finished: 2 of 2 discarded." in json.loads(events[-3].removeprefix("data: "))
    assert events[-2:] == ["event: done", "data: "]


async def test_an_operation_that_was_begun_by_a_command_is_shown_and_stopped(planted: Planted, page: Page) -> None:
    await plant(planted, 1)
    assert (await planted.command("dead", "discard", "--all", "--yes", "--actor", "ops@vm")).code == 0
    viewer = await page.log_in("viewer")

    listed = (await viewer.get("/dead/operations")).text

    found = re.search(r'href="(/dead/operation\?id=[^"]+)"', listed)
    assert found
    shown = (await viewer.get(found[1])).text
    assert "Finished: 1 of 1 discarded." in shown
    assert "by ops@vm" in shown
    assert "</form>" not in shown.partition("<main")[2]


async def test_an_operation_is_stopped_when_the_page_ends_and_continued_by_a_command(planted: Planted) -> None:
    await plant(planted, 30)
    async with serving(planted.environment["REDIS_URL"]) as page:
        operation_id = await begin(await page.log_in("operator"), "discard", SLOW)
        await until(lambda: fewer_than(planted, 30))

    assert (await operation(planted, operation_id)).state == "stopped"
    assert sorted(action.result for action in await recorded(planted)) == ["begun", "stopped"]
    await hurry(planted, operation_id)
    done = await planted.command("dead", "operations", "continue", operation_id)
    assert (done.code, done.out) == (0, "30 discarded\n")
    assert await planted.redis.hlen(keys.DEAD) == 0


async def test_an_operation_whose_page_was_killed_is_continued(planted: Planted, page: Page) -> None:
    await plant(planted, 2)
    browser = await page.log_in("operator")
    operations = DeadOperations(planted.redis)
    operation_id = await begin(browser, "discard", SLOWEST)
    await until(lambda: fewer_than(planted, 2))
    await operations.stop(operation_id)
    await until(lambda: has_result(planted, "stopped"))
    long_ago = await operations.now_ms() - 6_000
    await planted.redis.hset(keys.DEAD_OPERATION + operation_id, mapping={"state": "running", "seen": long_ago})
    shown = (await browser.get(f"/dead/operation?id={operation_id}")).text
    assert "Interrupted: 1 of 2 discarded." in shown
    assert "Nobody runs it" in shown
    await hurry(planted, operation_id)

    await post(browser, "/dead/operation/continue", operation_id)

    assert (await ended(planted, operation_id)).done == 2


async def test_an_operation_that_redis_fails_for_is_interrupted_and_continued() -> None:
    async with EmbeddedRedis() as server, serving(server.url) as page:
        planted = Planted(server.url)
        try:
            await plant(planted, 20)
            browser = await page.log_in("operator")
            with capture_logs() as logged:
                operation_id = await begin(browser, "discard", "10")
                await until(lambda: fewer_than(planted, 20))
                server.freeze()
                await until(lambda: "dashboard_operation_interrupted" in [line.get("action") for line in logged])
                server.thaw()
            left = await planted.redis.hlen(keys.DEAD)
            assert left > 0
            assert (await ended(planted, operation_id, "interrupted")).done == 20 - left

            await post(browser, "/dead/operation/continue", operation_id)

            assert (await ended(planted, operation_id)).done == 20
        finally:
            await planted.redis.aclose(close_connection_pool=True)


async def test_operations_of_other_programs_break_no_page(planted: Planted, page: Page) -> None:
    await planted.redis.zadd(keys.DEAD_OPERATIONS, {b"\xff": 1, "list": 2, "text": 3})
    await planted.redis.hset(keys.DEAD_OPERATION + "text", mapping={"plan": "[", "state": "x"})
    browser = await page.log_in("operator")

    assert "No operation was begun" in (await browser.get("/dead/operations")).text
    for path in ("/dead/operation", "/dead/operation/live"):
        answer = await browser.get(path, params={"id": "text"})
        assert (answer.status_code, "No operation has this id" in answer.text) == (404, True)
    for path in ("/dead/operation/stop", "/dead/operation/continue"):
        assert (await post(browser, path, "text")).status_code == 404
