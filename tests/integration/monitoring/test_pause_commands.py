"""What `pause` and `resume` print, store and record; tests/integration/engine has the workers."""

import json
import socket

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.test_explained_jobs import JOB
from worker.contract import DEFAULT_QUEUE
from worker.contract.actions import Action
from worker.queue import keys
from worker.queue.actions import MOST_WAITING

BY = ("--actor", "ops@vm", "--reason", "a deploy")


async def actions(planted: Planted) -> list[Action]:
    stored = await planted.redis.hgetall(keys.ACTIONS)
    return sorted((Action.model_validate_json(data) for data in stored.values()), key=lambda action: action.at)


async def test_a_pause_is_shown_everywhere_and_recorded(planted: Planted) -> None:
    await planted.heartbeat(functions=["ingest_hospital"], paused=[])
    await planted.enqueue(JOB)
    done = await planted.command("pause", DEFAULT_QUEUE, "--function", "ingest_hospital", *BY)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"queue {DEFAULT_QUEUE}: paused\nfunction ingest_hospital: paused\n"

    checked = await planted.command("check")
    assert checked.code == 0
    assert f"queue {DEFAULT_QUEUE} is paused since " in checked.out
    assert " by ops@vm: a deploy\n" in checked.out
    shown = json.loads((await planted.command("check", "--json")).out)
    assert [(it["kind"], it["name"], it["by"]) for it in shown["paused"]] == [
        ("queue", DEFAULT_QUEUE, "ops@vm"),
        ("function", "ingest_hospital", "ops@vm"),
    ]
    assert "function ingest_hospital is paused since " in (await planted.command("queue")).out
    assert json.loads((await planted.command("queue", "--json")).out)["paused"] == shown["paused"]
    state, reason = await planted.explained(JOB)
    assert (state, reason) == ("queued", "waits, because its queue is paused since AGO by ops@vm: a deploy")

    recorded = await actions(planted)
    assert {(it.actor, it.act, it.target, it.ids, it.reason) for it in recorded} == {
        ("ops@vm", "pause", "queue", (DEFAULT_QUEUE,), "a deploy"),
        ("ops@vm", "pause", "function", ("ingest_hospital",), "a deploy"),
    }


async def test_a_second_pause_changes_nothing_and_a_resume_ends_it(planted: Planted) -> None:
    await planted.command("pause", DEFAULT_QUEUE, *BY)
    again = await planted.command("pause", DEFAULT_QUEUE, "--actor", "another")
    assert again.code == 0
    assert again.out.startswith(f"queue {DEFAULT_QUEUE}: paused since ")
    assert again.out.endswith(" by ops@vm: a deploy already\n")
    resumed = await planted.command("resume", DEFAULT_QUEUE)
    assert (resumed.code, resumed.err) == (0, "")
    assert resumed.out.startswith(f"queue {DEFAULT_QUEUE}: resumed; it was paused since ")
    assert not await planted.redis.exists(keys.PAUSES)
    assert [it.act for it in await actions(planted)] == ["pause", "resume"]
    assert (await actions(planted))[1].actor.endswith(f"@{socket.gethostname()}")

    none = await planted.command("resume", DEFAULT_QUEUE)
    assert (none.code, none.out, none.err) == (1, "", f"queue {DEFAULT_QUEUE}: was not paused\n")
    assert len(await actions(planted)) == 2


async def test_what_no_worker_has_and_workers_that_ignore_it_are_named(planted: Planted) -> None:
    await planted.heartbeat("old:1:a")
    done = await planted.command("pause", "arq:queu", "--function", "nonesuch")
    assert done.code == 0
    assert done.err.splitlines() == [
        "note: no worker that runs now has the queue arq:queu; check its name",
        "note: no worker that runs now has the function nonesuch; check its name",
        "note: these workers are of an earlier version and ignore it: old:1:a",
    ]


async def test_nothing_named_does_nothing(planted: Planted) -> None:
    for command in ("pause", "resume"):
        done = await planted.command(command)
        assert (done.code, done.out) == (2, "")
        assert "name a queue" in done.err
    assert not await planted.redis.exists(keys.PAUSES, keys.ACTIONS)


async def test_no_act_is_done_that_could_not_be_recorded(planted: Planted) -> None:
    await planted.redis.hset(keys.ACTIONS, mapping={f"old-{number}": "{}" for number in range(MOST_WAITING)})
    await planted.enqueue(JOB)
    for command in (("pause", DEFAULT_QUEUE), ("jobs", "abort", JOB)):
        done = await planted.command(*command)
        assert (done.code, done.out) == (2, "")
        assert "10,000 actions wait in Redis to be recorded in MongoDB, so nothing was done" in done.err
    assert not await planted.redis.exists(keys.PAUSES, keys.ABORT)


async def test_entries_of_other_programs_crash_no_command(planted: Planted) -> None:
    await planted.redis.hset(
        keys.PAUSES, mapping={f"queue:{DEFAULT_QUEUE}": "not JSON", "what": "{}", b"\xff": "1"}
    )
    await planted.enqueue(JOB)
    assert (await planted.explained(JOB)) == ("queued", "waits, because its queue is paused")
    assert f"queue {DEFAULT_QUEUE} is paused\n" in (await planted.command("queue")).out
    assert (await planted.command("resume", DEFAULT_QUEUE)).code == 0

    await planted.redis.delete(keys.PAUSES)
    await planted.redis.set(keys.PAUSES, "text")
    refused = await planted.command("queue")
    assert refused.code == 2
    assert "the key arq:pauses in Redis holds string, not hash" in refused.err


async def test_an_abort_is_recorded(planted: Planted) -> None:
    await planted.enqueue(JOB)
    assert (await planted.command("jobs", "abort", JOB, *BY)).code == 0
    (found,) = await actions(planted)
    assert (found.act, found.target, found.ids, found.result) == ("abort", "job", (JOB,), "asked for")
