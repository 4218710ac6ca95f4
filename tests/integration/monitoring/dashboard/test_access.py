import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.integration.monitoring.conftest import Planted, planting
from tests.integration.monitoring.dashboard.conftest import (
    ACTIONS,
    PAGES,
    PASSWORD,
    ROLES,
    Page,
    plant_dead_letter,
    post,
    serving,
)
from worker.monitoring.dashboard.headers import HEADERS
from worker.monitoring.dashboard.login_limit import MOST_PER_NAME
from worker.queue import keys

JOB = "ingest_hospital:1"
# They need MongoDB: see acceptance/dashboard/test_imports.py.
OF_MONGODB = (
    *("/imports", "/import", "/import/cancel", "/import/report"),
    *("/hospitals", "/hospital", "/hospital/entry"),
)
OF_OPERATORS = ("/dead/edit", "/dead/discard", "/dead/bulk", "/schedules/run")
# Of an operation that there is not.
NOT_THERE = ("/dead/operation", "/dead/operation/live")


class Refusing:
    """A page that refuses all that is asked here, a dead letter that stays as it is, and browsers."""

    def __init__(self, planted: Planted, page: Page) -> None:
        self._planted, self.page = planted, page
        self._browsers: dict[str, httpx.AsyncClient] = {}

    async def browser(self, role: str) -> httpx.AsyncClient:
        """Return the browser of a role, which is logged in once."""
        if role not in self._browsers:
            self._browsers[role] = await self.page.log_in(role)
        return self._browsers[role]

    async def nothing_is_changed(self) -> bool:
        redis = self._planted.redis
        assert not await redis.exists(keys.ACTIONS, keys.PAUSES, keys.DEAD_OPERATIONS)
        return bool(await redis.hexists(keys.DEAD, JOB))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing() -> AsyncIterator[Refusing]:
    """One for all tests that change nothing, each of which makes sure of that."""
    async with planting() as planted, serving(planted.environment["REDIS_URL"], worker_history_days=0) as page:
        await plant_dead_letter(planted, JOB, {})
        yield Refusing(planted, page)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_those_who_are_logged_in(refusing: Refusing, path: str) -> None:
    answer = await (await refusing.page.browser()).get(path, params={"id": JOB, "name": "arq:queue"})

    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", [*PAGES, *ACTIONS, "/login", "/static/style.css", "/static/none", "/nowhere"])
async def test_every_answer_has_the_headers(refusing: Refusing, path: str) -> None:
    for browser in (await refusing.page.browser(), await refusing.browser("operator")):
        async with browser.stream("GET", path) as answer:
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
            assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("token", ["", "x", "é"])
async def test_an_action_without_the_token_of_the_session_is_refused(
    refusing: Refusing, path: str, token: str
) -> None:
    browser = await refusing.browser("operator")

    answer = await browser.post(path, params={"id": JOB}, data={"csrf": token, "arguments": "{}"})

    assert answer.status_code == 403
    assert await refusing.nothing_is_changed()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", [*ACTIONS])
@pytest.mark.parametrize("role", ["viewer", "auditor"])
async def test_only_an_operator_acts(refusing: Refusing, path: str, role: str) -> None:
    browser = await refusing.browser(role)

    posted = await post(browser, path, JOB, arguments="{}")

    assert posted.status_code == 403
    assert f"Your role is {role}: only an operator may change something." in posted.text
    if path in PAGES:
        assert (await browser.get(path, params={"id": JOB})).status_code == 403
    assert await refusing.nothing_is_changed()


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_sees_every_page_that_changes_nothing(planted: Planted, page: Page, role: str) -> None:
    await plant_dead_letter(planted, JOB, {})
    browser = await page.log_in(role)

    for path in set(PAGES) - {"/live", *OF_OPERATORS, *NOT_THERE, *OF_MONGODB}:
        answer = await browser.get(path, params={"id": JOB, "name": "arq:queue"})
        assert answer.status_code == 200, path


async def test_a_wrong_password_opens_no_session(page: Page) -> None:
    browser = await page.browser()

    for name, password in (("operator", "another password"), ("nobody", PASSWORD), ("nobody", ""), ("", "")):
        answer = await page.try_login(browser, name, password)
        assert answer.status_code == 401
        assert "Name or password is wrong." in answer.text
    assert (await browser.get("/")).status_code == 303


async def test_tries_of_a_name_are_limited_even_with_the_right_password(page: Page) -> None:
    browser = await page.browser()
    for _ in range(MOST_PER_NAME):
        assert (await page.try_login(browser, "operator", "wrong password")).status_code == 401

    answer = await page.try_login(browser, "operator", PASSWORD)

    assert answer.status_code == 429
    assert "Too many tries. Try again in " in answer.text
    assert (await page.try_login(browser, "viewer", PASSWORD)).status_code == 303


async def test_a_log_in_needs_the_token_of_its_form(page: Page) -> None:
    browser = await page.browser()

    answer = await browser.post("/login", data={"name": "operator", "password": PASSWORD})

    assert answer.status_code == 403
    assert "hospital-session" not in browser.cookies


@pytest.mark.parametrize("is_secure", [False, True])
async def test_the_cookie_is_for_this_host_and_no_script(planted: Planted, *, is_secure: bool) -> None:
    async with serving(planted.environment["REDIS_URL"], is_secure=is_secure) as page:
        answer = await httpx_login(page)

    cookie = next(value for value in answer.headers.get_list("set-cookie") if "-session=" in value)
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert ("Secure" in cookie, cookie.startswith("__Host-")) == (is_secure, is_secure)
    assert "Expires" not in cookie


async def httpx_login(page: Page) -> httpx.Response:
    browser = await page.browser()
    form = await browser.get("/login")
    # A browser sends a secure cookie over http to no host; this client gets it by hand.
    token = form.text.partition('name="csrf" value="')[2].partition('"')[0]
    return await browser.post(
        "/login",
        data={"name": "operator", "password": PASSWORD, "csrf": token},
        headers={"Cookie": f"hospital-login={token}"},
    )


async def test_a_log_out_ends_the_session_for_a_copied_cookie_too(page: Page) -> None:
    browser = await page.log_in("operator")
    copied = dict(browser.cookies)

    answer = await post(browser, "/logout")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    browser.cookies.update(copied)
    assert (await browser.get("/")).status_code == 303


async def test_a_form_that_is_too_large_is_refused(page: Page) -> None:
    browser = await page.log_in("operator")

    answer = await post(browser, "/dead/edit", JOB, arguments="x" * 1_100_000)

    assert answer.status_code == 413


async def test_the_stream_sends_the_parts_of_the_overview_until_the_session_ends(page: Page) -> None:
    browser = await page.log_in("viewer")
    events = []
    async with browser.stream("GET", "/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        async for line in answer.aiter_lines():
            if line:
                events.append(line)
            if len(events) == 1:
                page.services.sessions.close(browser.cookies["hospital-session"])

    assert "No jobs are done: no worker is running." in json.loads(events[0].removeprefix("data: "))
    assert events[-2:] == ["event: ended", "data: "]
