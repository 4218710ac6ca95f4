"""Idempotency keys on the command line, on a real worker: the same call again, another one, and a file again."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from producers.files import rejects_path
from tests.acceptance.conftest import Site
from worker.mongo.client import open_mongo
from worker.queue import keys

BY = ("--actor", "dr-ito", "--reason", "list of June checked")
LIST = "name,code,city\nHarbour Clinic,43,Split\nSunrise Clinic,42,Pula\nMoonlight Clinic,44,Zadar\n"
JOBS = keys.RESULT + "register_hospital:"


@pytest_asyncio.fixture
async def logs(site: Site) -> AsyncIterator[Any]:
    mongo = open_mongo(site.settings)
    yield mongo.logs
    await mongo.close()


@pytest.fixture
def path(site: Site) -> Path:
    path = site.folder / "list.csv"
    path.write_text(LIST)
    return path


async def _register(site: Site, path: Path, *options: str, code: int) -> tuple[dict[str, Any], str]:
    file = ("--file", str(path), "--source", "hr")
    done = await site.run("producers", "register", *file, *(options or BY), "--json")
    assert done.code == code, done.out + done.err
    return json.loads(done.out), done.err


async def _forget_outcomes(site: Site) -> int:
    """Delete all results, as if they had expired."""
    names = [name async for name in site.redis.scan_iter(match=JOBS + "*")]
    assert not await site.redis.exists(keys.JOB + "register_hospital")
    return int(await site.redis.delete(*names))


async def test_a_file_that_is_registered_again_writes_nothing_and_says_so(
    site: Site, path: Path, logs: Any
) -> None:
    await site.worker()
    first, _ = await _register(site, path, code=0)
    assert (first["registered"], first["already_registered"], first["conflicts"]) == (3, 0, 0)

    again, notes = await _register(site, path, code=0)

    assert (again["registered"], again["already_registered"], again["conflicts"]) == (0, 3, 0)
    assert "note: already registered under the same key: 3; nothing was changed or logged" in notes
    assert await logs.count_documents({}) == 3
    assert not rejects_path(path).exists()

    # A row that is new is registered; the others stay as they are.
    path.write_text(LIST + "Starlight Clinic,45,Pag\n")
    more, _ = await _register(site, path, code=0)
    assert (more["registered"], more["already_registered"]) == (1, 3)
    assert await logs.count_documents({}) == 4


async def test_so_does_a_file_whose_outcomes_redis_has_forgotten(site: Site, path: Path, logs: Any) -> None:
    await site.worker()
    await _register(site, path, code=0)
    assert await _forget_outcomes(site) == 3
    await _register(site, path, code=0)
    assert await logs.count_documents({}) == 3


async def test_who_wants_a_second_act_gives_another_reason_or_key(site: Site, path: Path, logs: Any) -> None:
    await site.worker()
    await _register(site, path, code=0)
    for options in (
        ("--actor", "dr-ito", "--reason", "list of July checked"),
        (*BY, "--idempotency-key", "july"),
    ):
        other, _ = await _register(site, path, *options, code=1)
        assert (other["registered"], other["already_registered"], other["conflicts"]) == (0, 0, 3)
    events = [entry["event"] async for entry in logs.find({}).sort("at", 1)]
    assert events == ["registered"] * 3 + ["registration_rejected"] * 6


async def test_a_hospital_that_was_withdrawn_is_registered_by_another_act_only(
    site: Site, path: Path, logs: Any
) -> None:
    await site.worker()
    await _register(site, path, code=0)
    withdrawn = await site.run("producers", "withdraw", "hr:43", "--actor", "dr-ito", "--reason", "closed")
    assert withdrawn.code == 0
    again, _ = await _register(site, path, code=0)
    assert again["already_registered"] == 3
    assert await logs.count_documents({"event": "registered"}) == 3

    anew, _ = await _register(site, path, *BY, "--idempotency-key", "reopened", code=1)
    assert (anew["registered"], anew["conflicts"]) == (1, 2)


async def test_a_key_that_was_used_for_another_hospital_ends_the_command(site: Site, logs: Any) -> None:
    key = ("--idempotency-key", "licence-4711")
    mercy = ("register", "--name", "Mercy", "--source", "hr", "--external-id", "1", *BY, *key)
    grace = ("register", "--name", "Grace", "--source", "hr", "--external-id", "2", *BY, *key)
    refused = (
        "hospital-producer: register_hospital:licence-4711 was enqueued with another payload: an idempotency key "
        "was used twice; enqueue this operation with its own key\n"
    )
    # While the first one waits,
    waiting = await site.run("producers", *mercy, "--wait", "0.1")
    assert (waiting.code, "the queue has taken the job" in waiting.err) == (1, True)
    done = await site.run("producers", *grace)
    assert (done.code, done.out, done.err) == (2, "", refused)
    # after it was done,
    await site.worker()
    assert (await site.run("producers", *mercy, "--json")).code == 0
    done = await site.run("producers", *grace)
    assert (done.code, done.out, done.err) == (2, "", refused)
    # and after its outcome is gone.
    assert await _forget_outcomes(site) == 1
    done = await site.run("producers", *grace)
    assert (done.code, done.out, done.err) == (2, "", refused)
    assert [entry["hospital_id"] async for entry in logs.find({})] == ["hr:1"]
