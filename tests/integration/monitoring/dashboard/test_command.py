import asyncio
import logging
import re
import socket
import sys
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from tests.integration.monitoring.conftest import Planted
from tests.support.waiting import until
from worker.cli import app
from worker.embedded.ports import choose_port
from worker.monitoring.dashboard.passwords import hash_password, matches

PASSWORD = "only of this test"
USERS = f"ann:operator:{hash_password(PASSWORD)}"


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """The command sends the log to a standard error that is closed once it has ended."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


def test_a_password_is_asked_for_twice_and_its_hash_printed() -> None:
    done = CliRunner().invoke(app, ["dashboard", "hash-password"], input=f"{PASSWORD}\n{PASSWORD}\n")

    assert done.exit_code == 0
    assert matches(PASSWORD, done.stdout.strip())
    assert PASSWORD not in done.output


def test_a_short_password_is_refused() -> None:
    done = CliRunner().invoke(app, ["dashboard", "hash-password"], input="short\nshort\n")

    assert (done.exit_code, done.stdout.strip()) == (2, "")
    assert "the password needs 12 to 1,000 characters" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "users", "message"),
    [
        ([], "", "DASHBOARD_USERS: no user"),
        ([], "ann:operator:plain", "DASHBOARD_USERS: entry 1"),
        (["--host", "0.0.0.0"], "valid", "add --secure-cookies"),  # noqa: S104 (is refused)
        (["--host", "registry.example"], "valid", "add --secure-cookies"),
    ],
)
async def test_the_page_does_not_start_open(
    planted: Planted, arguments: list[str], users: str, message: str
) -> None:
    # A hash is another one in each process, and names of tests may not differ.
    done = await planted.command("dashboard", *arguments, DASHBOARD_USERS=USERS if users == "valid" else users)

    assert done.code == 2
    assert message in done.err
    assert "The page:" not in done.err


async def test_an_address_that_is_in_use_is_named(planted: Planted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = await planted.command("dashboard", "--port", str(port), DASHBOARD_USERS=USERS)

    assert (done.code, "The page:" in done.err) == (2, False)
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use); choose another --port" in done.err


async def test_a_missing_extra_is_named(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("fastapi", "worker.monitoring.dashboard"))]:
        if name != "worker.monitoring.dashboard.passwords":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)

    done = await planted.command("dashboard", DASHBOARD_USERS=USERS)

    assert (done.code, done.err) == (
        2,
        "hospital-worker: the page needs fastapi: pip install 'hospital-registry-worker[dashboard]'\n",
    )


async def test_the_command_serves_the_page_until_sigterm(planted: Planted) -> None:
    port = choose_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "dashboard", "--port", str(port)),
        env={**planted.environment, "DASHBOARD_USERS": USERS},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as browser:

            async def answers() -> bool:
                try:
                    return (await browser.get("/login")).status_code == 200
                except httpx.ConnectError:
                    return False

            await until(answers, 30)
            token = re.search(r'name="csrf" value="([^"]+)"', (await browser.get("/login")).text)
            assert token
            form = {"name": "ann", "password": PASSWORD, "csrf": token[1]}
            assert (await browser.post("/login", data=form)).status_code == 303
            async with browser.stream("GET", "/live") as stream:
                await anext(stream.aiter_lines())
                process.terminate()
                _, err = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()

    assert f"The page: http://127.0.0.1:{port}/" in err.decode()
    assert "action=dashboard_login" in err.decode()
    assert "Traceback" not in err.decode()
