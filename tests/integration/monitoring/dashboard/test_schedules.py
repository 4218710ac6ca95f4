"""The page of cron jobs, and the run of one now."""

import re
from datetime import timedelta

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page, post
from tests.integration.monitoring.dashboard.test_acts import recorded
from worker.contract import DEFAULT_QUEUE
from worker.queue import actions, keys
from worker.queue.heartbeats import CronPlan, redis_time

NAME = 'cron:<b>"report"'
FORM = {"name": NAME, "queue": DEFAULT_QUEUE}


async def plant(planted: Planted, job_id: str = "") -> None:
    at = await redis_time(planted.redis)
    plan = CronPlan(name=NAME, queue=DEFAULT_QUEUE, next_run=at + timedelta(hours=5), job_id=job_id)
    await planted.heartbeat(functions=[NAME], cron_jobs=[plan])


async def runs(planted: Planted) -> list[bytes]:
    found: list[bytes] = await planted.redis.zrange(DEFAULT_QUEUE, 0, -1)
    return found


async def test_without_cron_jobs_the_page_says_where_they_come_from(planted: Planted, page: Page) -> None:
    await planted.heartbeat()

    shown = (await (await page.log_in("viewer")).get("/schedules")).text

    assert "No worker that runs has cron jobs" in shown


async def test_cron_jobs_are_shown_with_next_and_last_run(planted: Planted, page: Page) -> None:
    viewer, operator = await page.log_in("viewer"), await page.log_in("operator")
    two_hours_ago = await redis_time(planted.redis) - timedelta(hours=2)
    await planted.redis.hset(DEFAULT_QUEUE + keys.CRON_SUFFIX, NAME, int(two_hours_ago.timestamp() * 1000))
    await planted.redis.hset(DEFAULT_QUEUE + keys.CRON_SUFFIX, "of earlier days", "noon")
    await plant(planted)

    shown = (await viewer.get("/schedules")).text

    assert "cron:&lt;b&gt;&#34;report&#34;</a>" in shown
    assert "(in 5 h)" in shown
    assert "(2 h ago)" in shown
    assert "none: no worker that runs has it" in shown
    assert "because WORKER_HISTORY_DAYS is 0" in shown
    assert "Run now" not in shown
    # Of the one that no worker has, none is offered.
    assert (await operator.get("/schedules")).text.count(">Run now</a>") == 1


async def test_an_operator_runs_a_cron_job_now_after_a_preview(planted: Planted, page: Page) -> None:
    browser = await page.log_in("operator")
    await plant(planted)
    preview = await browser.get("/schedules/run", params=FORM)
    assert "Its planned runs stay as they are." in preview.text

    answer = await post(browser, "/schedules/run", **FORM, reason="for the board")

    (job_id,) = await runs(planted)
    shown = (await browser.get(answer.headers["location"])).text
    assert "The run was enqueued." in shown
    assert "<dd>queued</dd>" in shown
    (found,) = await recorded(planted)
    assert (found.actor, found.act, found.target, found.ids) == ("operator@dashboard", "run", "cron job", (NAME,))
    assert found.reason == "for the board"
    job = await planted.claim()
    assert (job.job_id, planted.codec.decode(job.payload)["f"]) == (job_id, NAME)


async def test_runs_that_share_an_id_wait_only_once(planted: Planted, page: Page) -> None:
    browser = await page.log_in("operator")
    await plant(planted, "the-report")
    await post(browser, "/schedules/run", **FORM)
    await planted.claim()

    answer = await post(browser, "/schedules/run", **FORM)

    assert await runs(planted) == [b"the-report"]
    assert "A job of it is running already" in (await browser.get(answer.headers["location"])).text


async def test_a_form_that_is_sent_twice_enqueues_one_run(planted: Planted, page: Page) -> None:
    browser = await page.log_in("operator")
    await plant(planted)
    preview = await browser.get("/schedules/run", params=FORM)
    asked = re.search(r'name="asked" value="(\d+)"', preview.text)
    assert asked
    await post(browser, "/schedules/run", **FORM, asked=asked[1])

    again = await post(browser, "/schedules/run", **FORM, asked=asked[1])

    assert await runs(planted) == [f"{NAME}:now:{asked[1]}".encode()]
    assert "Nothing was enqueued" in (await browser.get(again.headers["location"])).text
    # Who asks anew gets a run of its own.
    await post(browser, "/schedules/run", **FORM, asked=str(int(asked[1]) + 1))
    assert len(await runs(planted)) == 2


@pytest.mark.parametrize("form", [{}, {"name": NAME}, {"name": "other", "queue": DEFAULT_QUEUE}])
async def test_what_no_worker_has_is_not_run(planted: Planted, page: Page, form: dict[str, str]) -> None:
    browser = await page.log_in("operator")
    # It ran before.
    await planted.redis.hset(DEFAULT_QUEUE + keys.CRON_SUFFIX, "other", 7)
    await plant(planted)

    answers = await post(browser, "/schedules/run", **form), await browser.get("/schedules/run", params=form)

    for answer in answers:
        assert (answer.status_code, "No worker that runs has this cron job." in answer.text) == (409, True)
    assert await runs(planted) == []
    assert await recorded(planted) == []


@pytest.mark.parametrize("role", ["viewer", "auditor"])
async def test_only_an_operator_runs_a_cron_job(planted: Planted, page: Page, role: str) -> None:
    browser = await page.log_in(role)
    await plant(planted)

    answers = await post(browser, "/schedules/run", **FORM), await browser.get("/schedules/run", params=FORM)

    assert [answer.status_code for answer in answers] == [403, 403]
    assert await runs(planted) == []


async def test_a_run_that_cannot_be_recorded_is_not_enqueued(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await page.log_in("operator")
    await plant(planted)
    monkeypatch.setattr(actions, "MOST_WAITING", 0)

    answer = await post(browser, "/schedules/run", **FORM)

    assert answer.status_code == 503
    assert await runs(planted) == []


async def test_a_hundred_cron_jobs_are_shown_at_most(planted: Planted, page: Page) -> None:
    browser = await page.log_in("viewer")
    plans = [CronPlan(name=f"cron:{number:03}", queue=DEFAULT_QUEUE) for number in range(101)]
    await planted.heartbeat(cron_jobs=plans)

    shown = (await browser.get("/schedules")).text

    assert "cron:099" in shown
    assert "cron:100" not in shown
    assert "the first 100" in shown
    assert "not planned yet" in shown
