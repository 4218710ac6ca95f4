"""The page as docker-compose.yml and deploy/kubernetes run it: its probes, and the proxy in front of it."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page, serving, token_of
from worker.embedded.ports import choose_port
from worker.monitoring.dashboard import login_limit

ROOT = Path(__file__).resolve().parents[4]
PORT = ":8700/"


def health_check() -> str:
    """Return the Python program that Docker runs in the container."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    kind, program, option, code = compose["services"]["dashboard"]["healthcheck"]["test"]
    assert (kind, program, option, code.count(PORT)) == ("CMD", "python", "-c", 1)
    return str(code)


def probes() -> list[dict[str, Any]]:
    deployment, _ = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "dashboard.yaml").read_text("utf-8"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]


async def ended(code: str) -> int:
    process = await asyncio.create_subprocess_exec(*(sys.executable, "-c", code), stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


async def test_probes_succeed_without_redis_and_mongodb_and_fail_without_the_page() -> None:
    # Nothing listens on a port that is reserved for nothing.
    gone: dict[str, Any] = {"mongodb_url": "mongodb://127.0.0.1:1/?replicaSet=rs0"}
    async with serving("redis://127.0.0.1:1", is_secure=True, **gone) as page:
        browser = await page.browser()
        for probe in probes():
            assert probe["port"] == "http"
            assert (await browser.get(probe["path"])).status_code == 200
        assert await ended(health_check().replace(PORT, f":{httpx.URL(page.url).port}/")) == 0

    assert await ended(health_check().replace(PORT, f":{choose_port()}/")) == 1


async def try_from(page: Page, address: str) -> int:
    """Try to log in with a wrong password, as a browser whose address the proxy reports."""
    browser = await page.browser()
    browser.headers["X-Forwarded-For"] = address
    token = token_of(await browser.get("/login"))
    # A browser sends a secure cookie over http to no host; this client gets it by hand.
    form = {"name": address, "password": "a wrong password", "csrf": token}
    return (await browser.post("/login", data=form, headers={"Cookie": f"hospital-login={token}"})).status_code


@pytest.mark.parametrize(("trusted", "other"), [("127.0.0.0/8", 401), ("*", 401), ("192.0.2.9", 429)])
async def test_behind_a_proxy_that_is_named_tries_are_counted_for_each_browser(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, trusted: str, other: int
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted)
    monkeypatch.setattr(login_limit, "MOST_PER_ADDRESS", 2)
    async with serving(planted.environment["REDIS_URL"], is_secure=True) as page:
        assert [await try_from(page, "192.0.2.1") for _ in range(3)] == [401, 401, 429]

        assert await try_from(page, "192.0.2.2") == other
