"""The operator's commands, against real workers."""

import asyncio
import json
import signal
import sys
from typing import get_args

import pytest

from tests.acceptance.conftest import Site
from tests.support.dead_letters import store_dead_letter
from worker.closed_pipe import EXIT_CLOSED_PIPE
from worker.contract import HospitalRecord, RecordStatus
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_text


async def test_the_queue_and_its_dead_letters(site: Site) -> None:
    empty = await site.command("check")
    assert (empty.code, empty.err.strip()) == (1, "no worker is ready")
    await site.put("register_hospital", {"record": {"hospital_name": ""}}, job_id="register_hospital:bad")
    await site.put("no_such_job", job_id="unknown")
    waiting = json.loads((await site.run("worker", "queue", "--json")).out)
    assert waiting["queues"]["arq:queue"]["waiting"] == 2
    worker = await site.worker()
    await site.until(lambda: site.redis.hlen(keys.DEAD))
    await site.until(lambda: site.redis.zscore(keys.UNKNOWN, "no_such_job"))
    assert (await site.run("worker", "check")).code == 0
    assert (await site.run("arq", "--check", "worker.main.WorkerSettings")).code == 0
    state = json.loads((await site.command("queue", "--json")).out)
    assert (state["dead"], state["unknown_functions"]) == (1, ["no_such_job"])
    assert (state["workers"][0]["pid"], state["workers"][0]["ready"]) == (worker.pid, True)
    assert "InvalidPayload" in (await site.run("worker", "dead", "list")).out
    shown = (await site.command("dead", "show", "register_hospital:bad")).out
    assert "error     InvalidPayload: " in shown
    assert '"hospital_name":""' in (await site.command("dead", "show", "register_hospital:bad", "--payload")).out
    assert (await site.command("dead", "show", "other")).code != 0
    target = site.folder / "dead letters.ndjson"
    assert (await site.command("dead", "export", str(target))).code == 0
    assert [json.loads(line)["job_id"] for line in target.read_text().splitlines()] == ["register_hospital:bad"]
    again = await site.run("worker", "dead", "export", str(target))
    assert (again.code, again.err) == (2, f"hospital-worker: {target}: already exists; choose another name\n")
    both = await site.command("dead", "discard", "register_hospital:bad", "--function", "other")
    assert (both.code, both.err) == (
        2,
        "hospital-worker: give either job ids, or options that select, or --all\n",
    )
    none = await site.command("dead", "retry", "--error", "Other")
    assert (none.code, none.out) == (0, "0 retried\n")
    assert (await site.command("dead", "retry", "register_hospital:bad", "--yes")).out == "1 retried\n"
    await site.until(lambda: site.redis.hlen(keys.DEAD))
    assert (await site.run("worker", "dead", "discard", "--all", "--yes")).out == "1 discarded\n"
    assert (await site.command("dead", "list")).out == "no dead letters\n"
    await site.redis.hset(keys.DEAD, "garbage", "{}")
    await site.redis.zadd(keys.DEAD_INDEX, {"garbage": 1})
    without_payload = await site.run("worker", "dead", "retry", "garbage", "--yes")
    assert (without_payload.code, without_payload.out) == (1, "0 retried\n")
    assert "1 not retried: no payload is stored\n" in without_payload.err
    assert (await site.command("dead", "discard", "garbage", "--yes")).out == "1 discarded\n"
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    # The health key that arq reads is valid for as long as a heartbeat, and no worker writes it now.
    await site.until(lambda: _health_key_expired(site), 6)
    assert (await site.run("arq", "--check", "worker.main.WorkerSettings")).code == 1
    assert (await site.command("check")).code == 1


async def _health_key_expired(site: Site) -> bool:
    return not await site.redis.exists("arq:queue" + keys.HEALTH_CHECK_SUFFIX)


@pytest.mark.parametrize(
    "command",
    [
        "worker queue",
        "worker queue --json",
        "worker dead list",
        "worker dead show register_hospital:bad",
        "worker dead export",
        "worker settings",
        "producers status register_hospital:bad",
        "producers status register_hospital:bad --json",
    ],
)
async def test_a_closed_pipe_ends_a_command_quietly(site: Site, command: str) -> None:
    now_ms = 1_800_000_000_000
    dead_letter = DeadLetter(
        job_id="register_hospital:bad",
        function="register_hospital",
        queue="arq:queue",
        payload=payload_text(b"{}"),
        reason="invalid",
        failure=Failure(type="InvalidPayload", message="invalid", tries=1, at_ms=now_ms),
        crashes=0,
        worker="w",
    )
    await store_dead_letter(site.redis, dead_letter, now_ms)
    done = await site.run_unread(*command.split())
    assert (done.code, done.err) == (EXIT_CLOSED_PIPE, "")


async def test_500_jobs_at_once_share_one_client_and_its_pool(site: Site) -> None:
    worker = await site.worker(WORKER_MAX_JOBS="500", MONGODB_POOL_SIZE="10")
    async with site.producer() as producer:
        receipts = [
            await producer.ingest_hospital(HospitalRecord(hospital_name=f"Hospital {number}"))
            for number in range(500)
        ]
        assert {(await receipt.outcome(timeout=30)).status for receipt in receipts} == {"created"}
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    assert worker.log.count("action=mongo_connected") == 1
    (closed,) = [line for line in worker.log.splitlines() if "action=mongo_closed" in line]
    assert 1 < int(closed.split("highest_checked_out=")[1].split()[0]) <= 10
    assert await site.redis.hlen(keys.DEAD) == 0


async def test_an_import_loses_nothing_when_a_worker_is_killed_half_way(site: Site) -> None:
    file = site.folder / "hospitals.csv"
    made = await site.run("producers", "generate", str(file), "--rows", "6000", "--seed", "7")
    assert made.code == 0, made.err
    workers = [await site.worker(WORKER_LEASE="4"), await site.worker(WORKER_LEASE="4")]
    ingesting = asyncio.create_task(site.run("producers", "ingest", str(file), "--json"))
    held = await site.until(lambda: _holder(site))
    next(worker for worker in workers if worker.pid == held).send(signal.SIGKILL)
    finished = await ingesting
    assert finished.code in {0, 1}, finished.err
    summary = json.loads(finished.out)
    assert summary["created"] > 0
    assert (summary["state"], summary["unaccounted"]) == ("finished", 0)
    assert sum(summary[fate] for fate in get_args(RecordStatus)) == summary["rows"] == 6_000
    assert await site.redis.hlen(keys.DEAD) == 0


async def _holder(site: Site) -> int | None:
    tokens = await site.redis.hvals(keys.LEASES)
    return int(tokens[0].split(b":")[1]) if tokens else None


async def test_the_demo_reports_its_results(site: Site) -> None:
    first, second = site.folder / "first.json", site.folder / "second.json"
    data = site.folder / "data"
    file = site.folder / "hospitals.csv"
    await site.run("producers", "generate", str(file), "--rows", "2000", "--seed", "1")
    arguments = ("worker", "demo", "--file", str(file), "--data", str(data), "--report")
    done = await site.run(*arguments, str(first))
    assert done.code == 0, done.out + done.err
    report = json.loads(first.read_text())
    assert {
        "rows", "created", "merged", "same", "rejected", "registered", "conflicts", "lost", "audit_ok",
        "records_per_s", "seconds",
    } <= set(report)  # fmt: skip
    assert (report["registered"], report["conflicts"], report["lost"], report["audit_ok"]) == (100, 10, 0, True)
    assert report["created"] > 0
    again = await site.run(*arguments, str(second))
    assert again.code == 0, again.out + again.err
    report = json.loads(second.read_text())
    assert (report["created"], report["lost"], report["audit_ok"]) == (0, 0, True)


async def test_the_demo_counts_rows_in_collision_and_rows_that_are_quoted_as_a_whole(site: Site) -> None:
    file, report = site.folder / "list.csv", site.folder / "report.json"
    rows = ("St Mary,A1001,Kisumu", "St Mary,A1002,Kisumu", '"Mill Hospital,A1003,""Oster, north"""')
    file.write_text("\n".join(("Hospital Name,License No,Town", *rows, "")))
    arguments = ("--file", str(file), "--map", "local_id=License No", "--report", str(report))
    done = await site.run("worker", "demo", *arguments)
    assert done.code == 0, done.out + done.err
    found = json.loads(report.read_text())
    assert {it: found[it] for it in ("rows", "hospitals", "found", "created", "not_applied", "lost")} == {
        "rows": 3, "hospitals": 2, "found": 2, "created": 2, "not_applied": 1, "lost": 0,
    }  # fmt: skip


async def test_private_servers_run_until_they_are_stopped(site: Site) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "servers"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip() for _ in range(2)]
    exports = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    redis_url = exports["REDIS_URL"]
    environment = {"REDIS_URL": redis_url, "MONGODB_URL": exports["MONGODB_URL"].strip("'")}
    assert (await site.run("worker", "queue", "--json", **environment)).code == 0
    assert (await site.run("worker", "schema", **environment)).code == 0
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert (await site.run("worker", "queue", **environment)).code == 2
