"""What a user finds when the session has ended, and the way back."""

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import PASSWORD, Page, post, serving, token_of
from worker.monitoring.dashboard.sessions import LONGEST_S

ENDED = "Your session has ended"


async def test_who_logs_in_again_comes_back_to_the_page_that_was_open(page: Page) -> None:
    browser = await page.log_in("viewer")
    assert ENDED not in (await browser.get("/login")).text
    page.services.sessions.close(browser.cookies["hospital-session"])

    refused = await browser.get("/dead?function=a%26b&error=E")
    form = await browser.get(refused.headers["location"])
    wrong = await browser.post("/login", data={"name": "viewer", "csrf": token_of(form), "to": "/dead?error=E"})
    answer = await browser.post(
        "/login",
        data={
            "name": "viewer",
            "password": PASSWORD,
            "csrf": token_of(wrong),
            "to": "/dead?function=a%26b&error=E",
        },
    )

    assert ENDED in form.text
    assert "after 30 minutes without a request" in form.text
    assert 'name="to" value="/dead?function=a%26b&amp;error=E"' in form.text
    assert 'name="to" value="/dead?error=E"' in wrong.text
    assert (answer.status_code, answer.headers["location"]) == (303, "/dead?function=a%26b&error=E")
    assert (await browser.get(answer.headers["location"])).status_code == 200


async def test_who_comes_for_the_first_time_or_has_logged_out_is_told_of_no_session(page: Page) -> None:
    browser = await page.browser()
    assert ENDED not in (await browser.get((await browser.get("/")).headers["location"])).text
    await page.try_login(browser, "viewer", PASSWORD)

    await post(browser, "/logout")

    assert ENDED not in (await browser.get("/login")).text


@pytest.mark.parametrize(
    "to",
    [
        "//other.example/",
        "/\\other.example",
        "/\t/other.example",
        "https://other.example",
        "javascript:alert(1)",
        "x",
    ],
)
async def test_no_link_to_the_log_in_leads_to_another_host(page: Page, to: str) -> None:
    browser = await page.browser()
    form = await browser.get("/login", params={"to": to})

    answer = await browser.post(
        "/login", data={"name": "viewer", "password": PASSWORD, "csrf": token_of(form), "to": to}
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_form_that_is_sent_without_a_session_leads_to_no_act(page: Page) -> None:
    browser = await page.log_in("operator")
    page.services.sessions.close(browser.cookies["hospital-session"])

    answer = await browser.post("/queues/pause", data={"what": "queue:arq:queue"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_a_live_page_without_a_session_is_told_so(page: Page) -> None:
    answer = await (await page.browser()).get("/live", headers={"Accept": "text/event-stream"})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "event: ended\ndata: \n\n"


async def test_a_log_in_ends_the_session_that_the_browser_had(page: Page) -> None:
    browser = await page.log_in("operator")
    copied = dict(browser.cookies)

    await page.try_login(browser, "viewer", PASSWORD)

    assert browser.cookies["hospital-session"] != copied["hospital-session"]
    other = await page.browser()
    other.cookies.update(copied)
    assert (await other.get("/")).status_code == 303
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize(("minutes", "lasts_s"), [(5, 300), (720, LONGEST_S)])
async def test_a_session_ends_after_the_idle_time_that_is_set(
    planted: Planted, minutes: int, lasts_s: float
) -> None:
    url = planted.environment["REDIS_URL"]
    async with serving(url, worker_history_days=0, dashboard_idle_minutes=minutes) as page:
        now = [0.0]
        page.services.sessions._clock = lambda: now[0]
        browser = await page.log_in("viewer")
        async with browser.stream("GET", "/live") as answer:
            lines = answer.aiter_lines()
            await anext(lines)

            now[0] = lasts_s - 1
            assert "data: " in "".join([await anext(lines) for _ in range(2)])
            now[0] = lasts_s

            # The updates that a live page receives are no use of it.
            assert "event: ended" in [line async for line in lines]
        assert f"after {minutes} minutes without a request" in (await browser.get("/login")).text
