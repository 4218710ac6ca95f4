"""`hospital-worker dead …` as an operator uses it: confirm, watch, stop, kill, continue, export, import."""

import asyncio
import json
import os
import signal
import sys
from typing import Any

from tests.acceptance.conftest import Site
from tests.support.dead_letters import store_dead_letter
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.contract.actions import Action
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest

MANY = 20_000
JOB: dict[str, Any] = {
    "t": None,
    "f": "ingest_hospital",
    "a": [{"record": {"hospital_name": "A patient"}}],
    "k": {},
    "et": 1,
}
CODEC = Codec()
ENVELOPE = CODEC.encode(JOB)


def letter(number: int, envelope: bytes, **values: Any) -> DeadLetter:
    failure = Failure(
        type="InvalidPayload", message="m", tries=3, at_ms=1_764_000_000_000,
        traceback='Traceback:\n  File "worker/x.py", line 3, in step\n    step()\n',
    )  # fmt: skip
    given: dict[str, Any] = {
        "job_id": f"job-{number:05}", "function": "ingest_hospital", "queue": DEFAULT_QUEUE,
        "reason": "too late", "payload_bytes": len(envelope), "payload_digest": payload_digest(envelope),
        "failure": failure, "crashes": 1, "worker": "vm:1:a",
    }  # fmt: skip
    return DeadLetter(**{**given, **values})


async def plant(site: Site, count: int, envelope: bytes = ENVELOPE) -> None:
    for first in range(0, count, 1_000):
        async with site.redis.pipeline(transaction=False) as pipe:
            for number in range(first, min(first + 1_000, count)):
                dead = letter(number, envelope)
                pipe.hset(keys.DEAD, dead.job_id, dead.stored())
                pipe.zadd(keys.DEAD_INDEX, {dead.job_id: 1})
                pipe.set(keys.DEAD_PAYLOAD + dead.job_id, envelope)
            await pipe.execute()


async def actions(site: Site) -> list[Action]:
    stored = await site.redis.hgetall(keys.ACTIONS)
    return sorted((Action.model_validate_json(data) for data in stored.values()), key=lambda action: action.at)


async def operation(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await site.command("dead", "operations", "list", "--json")).out)
    return dict(found["operations"][0])


async def test_nothing_is_done_before_it_is_confirmed(site: Site) -> None:
    await plant(site, 12)
    for act in ("retry", "discard"):
        done = await site.command("dead", act, "--all")
        assert (done.code, done.out) == (2, "")
        lines = done.err.splitlines()
        assert lines[0] == f"12 dead letters to {act}:"
        assert [line.split()[0] for line in lines[2:7]] == [f"job-{number:05}" for number in range(5)]
        assert lines[7:] == ["and 7 more", "hospital-worker: nothing was done: give --yes to confirm"]
    assert await site.redis.hlen(keys.DEAD) == 12
    assert await actions(site) == []
    assert (await site.command("dead", "operations", "list")).out == "no operations\n"


async def test_what_is_selected_is_done_and_recorded(site: Site) -> None:
    await plant(site, 3)
    other = letter(7, ENVELOPE, function="other", queue="arq:queue:bulk", reason="Gone")
    await store_dead_letter(site.redis, other)
    by = ("--yes", "--actor", "ops@vm", "--reason", "fixed")
    for options in (("--queue", "nonesuch"), ("--text", "nonesuch"), ("--until", "2001-01-01")):
        assert (await site.command("dead", "discard", *options, *by)).out == "0 discarded\n"
    assert (await site.command("dead", "discard", "--text", "gone", "--queue", "arq:queue:bulk", *by)).out == (
        "1 discarded\n"
    )
    assert (await site.command("dead", "retry", "job-00001", *by)).out == "1 retried\n"
    assert (await site.command("dead", "retry", "--function", "ingest_hospital", *by)).out == "2 retried\n"
    assert await site.redis.zcard(DEFAULT_QUEUE) == 3
    found = [(it.act, it.ids, it.selection, it.count, it.result) for it in await actions(site)]
    assert found[2:] == [
        ("retry", ("job-00001",), {}, 1, "begun"),
        ("retry", ("job-00001",), {}, 1, "finished"),
        ("retry", (), {"function": "ingest_hospital"}, 2, "begun"),
        ("retry", (), {"function": "ingest_hospital"}, 2, "finished"),
    ]
    assert {(it.actor, it.reason) for it in await actions(site)} == {("ops@vm", "fixed")}


async def test_a_command_that_is_killed_half_way_is_continued_and_each_letter_is_retried_once(site: Site) -> None:
    await plant(site, MANY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "dead", "retry", "--all", "--yes", "--rate", "2000"),
        env={**os.environ, **site.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await site.until(lambda: site.redis.zcard(DEFAULT_QUEUE))
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    left = await site.redis.hlen(keys.DEAD)
    assert 0 < left < MANY
    begun = await operation(site)
    assert (begun["done"], begun["plan"]["total"]) == (MANY - left, MANY)
    await site.until(lambda: is_interrupted(site))
    shown = await site.command("dead", "operations", "show", begun["id"])
    assert f"hospital-worker dead operations continue {begun['id']}" in " ".join(shown.out.split())

    # The rest at a rate that would take too long is stopped from another terminal, and continued again.
    going = asyncio.create_task(site.run("worker", "dead", "operations", "continue", begun["id"]))
    await site.until(lambda: fewer_than(site, left))
    assert (await site.command("dead", "operations", "stop", begun["id"])).out == f"stopped: {begun['id']}\n"
    stopped = await going
    assert stopped.code == 1
    assert f"stopped; to go on: hospital-worker dead operations continue {begun['id']}" in stopped.err
    await site.redis.hset(keys.DEAD_OPERATION + begun["id"], "plan", json.dumps(begun["plan"] | {"rate": None}))
    done = await site.command("dead", "operations", "continue", begun["id"])
    assert (done.code, done.out) == (0, f"{MANY:,} retried\n")
    assert await site.redis.hlen(keys.DEAD) == 0
    assert await site.redis.zcard(DEFAULT_QUEUE) == MANY
    assert (await operation(site))["done"] == MANY
    again = await site.command("dead", "operations", "continue", begun["id"])
    assert (again.code, again.out) == (1, "")
    assert [it.act for it in await actions(site)] == ["retry", "continue", "stop", "retry", "continue", "retry"]


async def test_ctrl_c_stops_an_operation_which_is_continued_at_once(site: Site) -> None:
    await plant(site, 500)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "dead", "discard", "--all", "--yes", "--rate", "100"),
        env={**os.environ, **site.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await site.until(lambda: fewer_than(site, 500))
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    begun = await operation(site)
    assert (process.returncode, begun["state"]) == (130, "stopped")
    assert out.decode() == f"{begun['done']:,} of 500 discarded\n"
    assert err.decode().endswith(f"stopped; to go on: hospital-worker dead operations continue {begun['id']}\n")
    assert [it.result for it in await actions(site)] == ["begun", "stopped"]
    await site.redis.hset(keys.DEAD_OPERATION + begun["id"], "plan", json.dumps(begun["plan"] | {"rate": None}))
    assert (await site.command("dead", "operations", "continue", begun["id"])).out == "500 discarded\n"


async def is_interrupted(site: Site) -> bool:
    return bool((await operation(site))["state"] == "interrupted")


async def fewer_than(site: Site, count: int) -> bool:
    return int(await site.redis.hlen(keys.DEAD)) < count


async def test_a_letter_is_shown_to_a_person_without_its_payload(site: Site) -> None:
    await plant(site, 1)
    shown = (await site.command("dead", "show", "job-00000")).out
    assert "patient" not in shown
    facts = dict(line.strip().split(maxsplit=1) for line in shown.splitlines()[:7])
    assert facts["function"] == "ingest_hospital"
    assert facts["error"] == "InvalidPayload: m"
    assert facts["failed"].startswith("2025-11-24 16:00:00 UTC (")
    assert facts["failed"].endswith(", in try 3")
    assert 'where        File "worker/x.py", line 3, in step' in shown
    assert "not shown without --payload" in " ".join(shown.split())
    assert "A patient" in (await site.command("dead", "show", "job-00000", "--payload")).out
    as_json = json.loads((await site.command("dead", "show", "job-00000", "--json")).out)
    assert (as_json["failure"]["type"], "message" in as_json) == ("InvalidPayload", False)
    with_payload = json.loads((await site.command("dead", "show", "job-00000", "--json", "--payload")).out)
    assert with_payload["message"]["a"] == JOB["a"]
    (listed,) = [json.loads(line) for line in (await site.command("dead", "list", "--json")).out.splitlines()]
    assert (listed["job_id"], "payload" in listed) == ("job-00000", False)


async def test_what_was_exported_is_imported_signed_and_runs(site: Site) -> None:
    keys_of_site = {"QUEUE_SIGNING_KEYS": "k1:a secret of sixteen letters or more"}
    codec = Codec({"k1": "a secret of sixteen letters or more"})
    record = {"source": "s", "external_id": "1", "hospital_name": ""}
    broken = {**JOB, "a": [{"record": record}], "id": "job-00000"}
    await plant(site, 1, codec.encode(broken))
    file = site.folder / "letters.ndjson"
    assert (await site.command("dead", "export", str(file), **keys_of_site)).err == "1 exported\n"
    assert (await site.command("dead", "discard", "--all", "--yes")).out == "1 discarded\n"
    # The operator corrects the record, as the payload is readable.
    file.write_text(file.read_text().replace('"hospital_name":""', '"hospital_name":"Sunrise Clinic"'))
    done = await site.command("dead", "import", str(file), **keys_of_site)
    assert (done.code, done.out) == (0, "1 imported\n")
    twice = await site.command("dead", "import", str(file), **keys_of_site)
    assert twice.out == "0 imported; 1 left out: there is a dead letter, or a job, of that id\n"
    assert (await site.command("dead", "show", "job-00000")).code == 0
    assert (await site.command("dead", "retry", "--all", "--yes")).out == "1 retried\n"
    await site.worker(**keys_of_site)
    result = codec.decode(await site.until(lambda: site.redis.get(keys.RESULT + "job-00000")))
    assert result["s"] is True


async def test_a_long_id_is_listed_as_a_whole(site: Site) -> None:
    job_id = "ingest_hospital:" + "0123456789" * 8
    await store_dead_letter(site.redis, letter(0, ENVELOPE, job_id=job_id))
    for command in (("list",), ("discard", "--all")):
        done = await site.command("dead", *command)
        # Within its column, from line to line.
        shown = "".join(line[:50].split(" ")[0] for line in (done.out + done.err).splitlines())
        assert job_id in shown


async def test_a_file_with_a_line_that_is_no_letter_imports_nothing(site: Site) -> None:
    await plant(site, 2)
    file = site.folder / "letters.ndjson"
    await site.command("dead", "export", str(file))
    await site.command("dead", "discard", "--all", "--yes")
    file.write_text(file.read_text() + "{}\n")
    done = await site.command("dead", "import", str(file))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"hospital-worker: {file}, line 3: not a dead letter (job_id); nothing was imported\n"
    assert await site.redis.hlen(keys.DEAD) == 0
