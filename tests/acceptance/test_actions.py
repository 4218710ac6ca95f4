"""What operators did is recorded in MongoDB, also if that was unavailable when they acted."""

import json
import signal
from typing import Any

from tests.acceptance.conftest import Site
from worker.contract import BULK_QUEUE
from worker.contract.actions import Action
from worker.mongo.actions import ACTIONS
from worker.mongo.client import open_mongo
from worker.queue import keys
from worker.queue.actions import keep_action


async def listed(site: Site, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await site.command("actions", "list", "--json", *options)).out)[
        "actions"
    ]
    return found


async def test_a_worker_moves_what_was_done_without_mongodb(site: Site) -> None:
    elsewhere = {"MONGODB_URL": "mongodb://127.0.0.1:1/?replicaSet=none"}
    done = await site.command("pause", BULK_QUEUE, "--actor", "ops@vm", "--reason", "an outage", **elsewhere)
    assert (done.code, done.err) == (0, "")
    assert await site.redis.hlen(keys.ACTIONS) == 1
    worker = await site.worker()
    await site.until(lambda: nothing_waits(site))
    await site.command("resume", BULK_QUEUE, "--actor", "another")
    found = await listed(site)
    assert [(it["actor"], it["act"], it["ids"]) for it in found] == [
        ("another", "resume", [BULK_QUEUE]),
        ("ops@vm", "pause", [BULK_QUEUE]),
    ]
    assert found[1]["reason"] == "an outage"
    assert [it["act"] for it in await listed(site, "--actor", "ops@vm")] == ["pause"]
    assert await listed(site, "--since", "2999-01-01") == []
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    assert "destroyed" not in worker.log
    table = (await site.command("actions", "list")).out
    assert f"pause   queue {BULK_QUEUE}: an outage" in table
    assert all(len(line) <= 80 for line in table.splitlines())


async def nothing_waits(site: Site) -> bool:
    return not await site.redis.exists(keys.ACTIONS)


async def test_an_act_that_was_moved_twice_is_there_once_and_what_is_foreign_stays(site: Site) -> None:
    assert (await site.run("worker", "schema")).code == 0
    action = Action(actor="ops@vm", act="retry", target="dead letters", selection={"function": "f"}, count=12)
    await keep_action(site.redis, action)
    assert len(await listed(site)) == 1
    await keep_action(site.redis, action)
    await site.redis.hset(keys.ACTIONS, "foreign", "[]")
    assert len(await listed(site)) == 1
    assert await site.redis.hkeys(keys.ACTIONS) == [b"foreign"]
    mongo = open_mongo(site.settings)
    try:
        (stored,) = await mongo.database[ACTIONS].find().to_list(None)
    finally:
        await mongo.close()
    assert (stored["_id"], stored["count"]) == (action.id, 12)


async def test_without_redis_the_list_says_what_it_lacks(site: Site) -> None:
    assert (await site.run("worker", "schema")).code == 0
    done = await site.command("actions", "list", REDIS_URL="redis://127.0.0.1:1")
    assert (done.code, done.out) == (0, "no actions\n")
    assert done.err.startswith("note: acts that are only in Redis are not listed: ")
