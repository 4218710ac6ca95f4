"""A worker that cannot start reports the reason in one line and exits with an error code."""

import signal

import pytest

from tests.acceptance.conftest import Site
from worker.embedded import EmbeddedMongo
from worker.embedded.ports import choose_port
from worker.queue import keys

SECRET = "Sesame-0pen"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WORKER_MAX_JOBS": "many"}, "WORKER_MAX_JOBS"),
        ({"REDIS_URL": f"http://:{SECRET}@localhost"}, "REDIS_URL"),
        ({"REDIS_URL": f"redis://:{SECRET}@localhost?db={SECRET}"}, "REDIS_URL"),
        ({"MONGODB_URL": f"mysql://root:{SECRET}@localhost"}, "MONGODB_URL"),
        ({"REDIS_TIMEOUT": "9", "WORKER_LEASE": "10"}, "REDIS_TIMEOUT"),
    ],
    ids=["number", "redis scheme", "redis option", "mongodb scheme", "across fields"],
)
async def test_wrong_settings(site: Site, environment: dict[str, str], expected: str) -> None:
    assert_one_line(await _start(site, **environment), expected)


async def test_an_unreachable_redis(site: Site) -> None:
    url = f"redis://:{SECRET}@127.0.0.1:{choose_port()}/0"
    assert_one_line(await _start(site, REDIS_URL=url), "REDIS_URL: Redis at 127.0.0.1")


async def test_an_unreachable_mongodb(site: Site) -> None:
    url = f"mongodb://root:{SECRET}@127.0.0.1:{choose_port()}/?replicaSet=rs0"
    finished = await _start(site, MONGODB_URL=url, MONGODB_SELECTION_TIMEOUT="1")
    assert_one_line(finished, "MONGODB_URL")


async def test_a_standalone_mongodb(site: Site) -> None:
    async with EmbeddedMongo(standalone=True) as standalone:
        assert_one_line(await _start(site, MONGODB_URL=standalone.url), "replica set")


async def test_a_misspelled_setting_is_logged_without_its_value(site: Site) -> None:
    run = await site.worker(WORKER_MAX_JOB="7654321")
    (line,) = [line for line in run.log.splitlines() if "action=setting_unknown" in line]
    assert "name=WORKER_MAX_JOB" in line
    _, level, message = line.partition("[warning")
    assert level
    assert "7654321" not in message


async def test_sigterm_stops_a_worker_that_waits_for_mongodb_during_start_up(site: Site) -> None:
    url = f"mongodb://127.0.0.1:{choose_port()}/?replicaSet=rs0"
    run = await site.start(MONGODB_URL=url, MONGODB_SELECTION_TIMEOUT="60")
    await site.until(lambda: "Starting worker" in run.log)
    run.send(signal.SIGTERM)
    assert await run.ended(10) == 0
    assert "Traceback" not in run.log


async def test_a_key_of_another_type(site: Site) -> None:
    await site.redis.set(keys.LEASES, "written by another program")
    assert_one_line(await _start(site), "the key arq:leases in Redis holds string, not hash")
    check = await site.command("check")
    assert (check.code, check.err) == (1, "no worker is ready\n")


async def _start(site: Site, **environment: str) -> tuple[int, str]:
    run = await site.start(**environment)
    return await run.ended(30), run.log


def assert_one_line(finished: tuple[int, str], expected: str) -> None:
    code, log = finished
    assert code != 0
    assert "Traceback" not in log
    assert "never retrieved" not in log
    assert SECRET not in log
    lines = [line for line in log.splitlines() if line.startswith("The worker cannot start: ")]
    assert len(lines) == 1, log
    assert expected in lines[0]
    assert log.splitlines()[-1] == lines[0]
