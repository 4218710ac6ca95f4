"""Pause and resume on the page of the queues."""

import html
import re

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page, post
from tests.integration.monitoring.dashboard.test_acts import recorded
from worker.contract import DEFAULT_QUEUE
from worker.contract.actions import Action
from worker.queue import actions, keys
from worker.queue.pauses import Pause, read_pauses
from worker.queue.pauses import pause as store_pauses

JOB = "ingest_hospital:1"


@pytest.mark.parametrize(("kind", "name"), [("queue", DEFAULT_QUEUE), ("function", "ingest_hospital")])
async def test_an_operator_pauses_and_resumes(planted: Planted, page: Page, kind: str, name: str) -> None:
    await planted.heartbeat(paused=[])
    await planted.enqueue(JOB)
    browser = await page.log_in("operator")
    assert "Nothing is paused." in (await browser.get("/queues")).text

    paused = await post(browser, "/queues/pause", what=f"{kind}:{name}", reason=" a <b>deploy</b> ")

    assert (paused.status_code, paused.headers["location"]) == (303, "/queues")
    shown = (await browser.get("/queues")).text
    assert f"The {kind} {name} is paused" in shown
    row = re.search(rf'<th scope="row">{kind} {name}</th>(.*)', shown)
    assert row
    cells = [html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row[1])]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d+ s ago\)", cells[0])
    assert cells[1:] == ["operator@dashboard", "a <b>deploy</b>"]
    assert "<b>deploy" not in shown
    state, reason = await planted.explained(JOB)
    assert (state, "by operator@dashboard: a <b>deploy</b>" in reason) == ("queued", True)

    resumed = await post(browser, "/queues/resume", what=f"{kind}:{name}", reason="deployed")

    assert f"The {kind} {name} was resumed." in (await browser.get(resumed.headers["location"])).text
    assert await read_pauses(planted.redis) == []
    found = sorted(await recorded(planted), key=lambda action: action.at)
    assert [(it.actor, it.act, it.target, it.ids, it.reason) for it in found] == [
        ("operator@dashboard", "pause", kind, (name,), "a <b>deploy</b>"),
        ("operator@dashboard", "resume", kind, (name,), "deployed"),
    ]


async def test_what_is_paused_is_shown_to_all_and_acted_on_by_operators(planted: Planted, page: Page) -> None:
    await post(await page.log_in("operator"), "/queues/pause", what=f"queue:{DEFAULT_QUEUE}", reason="a deploy")
    browser = await page.log_in("viewer")

    queues, queue = (await browser.get("/queues")).text, (await browser.get("/queue?name=arq:queue")).text

    assert "operator@dashboard</td><td>a deploy" in queues
    assert 'class="level attention">paused</span>' in queues
    assert "This queue is paused since " in queue
    assert "<button>Pause" not in queues
    assert "Resume</button>" not in queues


async def test_a_second_pause_changes_nothing(planted: Planted, page: Page) -> None:
    browser = await page.log_in("operator")
    await post(browser, "/queues/pause", what=f"queue:{DEFAULT_QUEUE}", reason="first")

    again = await post(browser, "/queues/pause", what=f"queue:{DEFAULT_QUEUE}", reason="second")

    assert "by operator@dashboard: first already." in (await browser.get(again.headers["location"])).text
    assert [pause.reason for pause in await read_pauses(planted.redis)] == ["first"]
    assert len(await recorded(planted)) == 1


@pytest.mark.parametrize("what", ["", "queue:", "queue:nonesuch", "function:arq:queue", "what:x", DEFAULT_QUEUE])
async def test_what_there_is_not_is_not_paused(planted: Planted, page: Page, what: str) -> None:
    answer = await post(await page.log_in("operator"), "/queues/pause", what=what, reason="r")

    assert (answer.status_code, "There is no such queue or function." in answer.text) == (400, True)
    assert not await planted.redis.exists(keys.PAUSES, keys.ACTIONS)


async def test_what_is_not_paused_is_not_resumed(planted: Planted, page: Page) -> None:
    browser = await page.log_in("operator")

    answer = await post(browser, "/queues/resume", what=f"queue:{DEFAULT_QUEUE}")

    assert "It was not paused any more." in (await browser.get(answer.headers["location"])).text
    assert await recorded(planted) == []


async def test_functions_of_workers_can_be_chosen_and_workers_that_ignore_pauses_are_named(
    planted: Planted, page: Page
) -> None:
    await planted.heartbeat("vm:1:old", functions=["geocode"], queues=["arq:queue:reports"])
    browser = await page.log_in("operator")
    shown = (await browser.get("/queues")).text
    assert '<option value="function:geocode">geocode</option>' in shown
    assert '<option value="queue:arq:queue:reports">arq:queue:reports</option>' in shown

    await post(browser, "/queues/pause", what="function:geocode")

    shown = (await browser.get("/queues")).text
    assert "ignore pauses: vm:1:old" in shown
    assert '<option value="function:geocode">' not in shown


async def test_pauses_of_other_programs_break_no_page_and_can_be_resumed(planted: Planted, page: Page) -> None:
    await planted.redis.hset(
        keys.PAUSES, mapping={f"queue:{DEFAULT_QUEUE}": "not JSON", "what": "{}", b"\xff": "1"}
    )
    browser = await page.log_in("operator")
    assert "<td>unknown</td><td>unknown</td><td>no reason given</td>" in (await browser.get("/queues")).text

    await post(browser, "/queues/resume", what=f"queue:{DEFAULT_QUEUE}")

    assert await read_pauses(planted.redis) == []


async def test_no_pause_is_stored_that_cannot_be_recorded(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_WAITING", 0)

    answer = await post(await page.log_in("operator"), "/queues/pause", what=f"queue:{DEFAULT_QUEUE}")

    assert answer.status_code == 503
    assert await read_pauses(planted.redis) == []


async def test_a_reason_that_is_too_long_is_refused(planted: Planted, page: Page) -> None:
    what = f"queue:{DEFAULT_QUEUE}"

    answer = await post(await page.log_in("operator"), "/queues/pause", what=what, reason="x" * 1_001)

    assert (answer.status_code, "A reason may have 1,000 characters." in answer.text) == (400, True)
    assert await read_pauses(planted.redis) == []


async def test_a_pause_that_somebody_else_has_made_meanwhile_is_not_ended(planted: Planted, page: Page) -> None:
    what = f"queue:{DEFAULT_QUEUE}"
    browser = await page.log_in("operator")
    await post(browser, "/queues/pause", what=what, reason="a deploy")
    since = re.search(r'name="since" value="(\d+)"', (await browser.get("/queues")).text)
    assert since
    later = Pause("queue", DEFAULT_QUEUE, int(since[1]) + 1, "bob@ops", "wrong data")
    await store_pauses(planted.redis, [later], Action(actor="bob@ops", act="pause", target="queue"))

    refused = await post(browser, "/queues/resume", what=what, since=since[1])

    assert refused.status_code == 409
    assert "by bob@ops: wrong data, so nothing was done." in refused.text
    assert await read_pauses(planted.redis) == [later]
    await post(browser, "/queues/resume", what=what, since=str(later.since_ms))
    assert await read_pauses(planted.redis) == []
