"""What Prometheus reads from running workers, and what an operator reads in the log and in `queue`."""

import asyncio
import functools
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import Site, WorkerRun
from worker.monitoring.metrics_table import BY_NAME
from worker.queue.heartbeats import ready_workers

ADDRESS = re.compile(r"action=metrics_served address=(\S+)")


async def request(address: str, line: str = "GET /metrics HTTP/1.1") -> tuple[int, str]:
    """Send one request; returns status and body."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{line}\r\nHost: {address}\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body.decode()


async def scraped(address: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return the values of each exported name, by its labels."""
    status, text = await request(address)
    assert status == 200
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


async def ended(address: str) -> float:
    """Return how many tries the metrics count as complete."""
    tries = (await scraped(address)).get("hospital_job_tries_total", {})
    return sum(value for labels, value in tries.items() if ("outcome", "complete") in labels)


async def address_in(site: Site, log: Callable[[], str]) -> str:
    found = await site.until(lambda: ADDRESS.search(log()), 30)
    return str(found[1])


async def ingest(site: Site, first: int, count: int) -> None:
    for number in range(first, first + count):
        record = {"record": {"hospital_name": f"Hospital {number}"}}
        await site.put("ingest_hospital", record, job_id=f"job-{number}")


async def test_a_running_worker_exports_the_metrics_of_the_table(site: Site) -> None:
    run = await site.worker(WORKER_METRICS_PORT="0", QUEUE_RATES="arq:queue=20")
    address = await address_in(site, lambda: run.log)
    await ingest(site, 0, 20)
    await site.put("ingest_hospital", {"not": "a record"}, job_id="invalid")
    await site.put("of_a_newer_worker", job_id="unknown")
    await site.until(lambda: seen(address, 20))
    found = await scraped(address)

    exported = {}
    for name, values in found.items():
        base = re.sub("_(bucket|sum|count)$", "", name)
        exported[base if base in BY_NAME else name] = {label for labels in values for label, _ in labels} - {"le"}
    # It appears with its first event, which here is none.
    absent = {"hospital_circuit_breaker_openings_total"}
    assert exported == {name: set(metric.labels) for name, metric in BY_NAME.items() if name not in absent}
    assert set(found["hospital_worker_faults_total"].values()) == {0}
    _, text = await request(address)
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert kinds == {name: metric.kind for name, metric in BY_NAME.items()}
    assert found["hospital_workers_ready"] == {(): 1}
    assert found["hospital_queue_jobs"][(("queue", "arq:queue"),)] == 1
    assert found["hospital_dead_letters"] == {(): 1}
    default, bulk = (("queue", "arq:queue"),), (("queue", "arq:queue:bulk"),)
    assert found["hospital_worker_queue_slots"] == {default: 300, bulk: 6}
    assert found["hospital_queue_rate_limit"] == {default: 20}
    assert found["hospital_rate_limited_claims_total"][default] > 0
    assert "job-1" not in text
    assert "of_a_newer_worker" not in text


async def seen(address: str, jobs: int) -> bool:
    tries = (await scraped(address)).get("hospital_job_tries_total", {})
    return sum(tries.values()) >= jobs + 2


async def test_only_the_metrics_are_served(site: Site) -> None:
    run = await site.worker(WORKER_METRICS_PORT="0")
    address = await address_in(site, lambda: run.log)

    assert (await request(address, "GET / HTTP/1.1"))[0] == 404
    assert (await request(address, "POST /metrics HTTP/1.1"))[0] == 405
    assert await request(address, "HEAD /metrics HTTP/1.1") == (200, "")
    assert address.startswith("127.0.0.1:")


async def test_a_port_in_use_refuses_the_start_and_says_what_to_do(site: Site) -> None:
    run = await site.worker(WORKER_METRICS_PORT="0")
    _, _, port = (await address_in(site, lambda: run.log)).rpartition(":")
    second = await site.start(WORKER_METRICS_PORT=port)

    assert await second.ended() == 1
    assert f"The worker cannot start: WORKER_METRICS_PORT: cannot listen on 127.0.0.1:{port}" in second.log


async def test_run_serves_all_processes_and_no_counter_falls(site: Site) -> None:
    log = site.folder / "supervisor.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", "run", "--processes", "2"),
            env={**os.environ, **site.environment, "WORKER_METRICS_PORT": "0"},
            stderr=file,
        )
    try:
        address = await address_in(site, lambda: log.read_text(errors="replace"))
        await site.until(lambda: has_workers(address, 2), 30)
        readings = []
        for round_ in range(3):
            await ingest(site, round_ * 20, 20)
            await site.until(functools.partial(has_ended, address, (round_ + 1) * 20))
            readings.append(await ended(address))
            victim = min(await living_workers(site))
            os.kill(victim, signal.SIGKILL)
            await site.until(functools.partial(is_replaced, site, victim), 30)
            await site.until(lambda: has_workers(address, 2), 30)
            readings.append(await ended(address))
        assert readings == [20, 20, 40, 40, 60, 60]
        assert log.read_text(errors="replace").count("action=metrics_served") == 1
    finally:
        process.terminate()
        await process.wait()


async def has_ended(address: str, jobs: int) -> bool:
    return await ended(address) >= jobs


async def has_workers(address: str, count: int) -> bool:
    return (await scraped(address)).get("hospital_workers_ready") == {(): count}


async def is_replaced(site: Site, pid: int) -> bool:
    return len(await living_workers(site) - {pid}) == 2


async def living_workers(site: Site) -> set[int]:
    """Return the process ids of the workers that are ready, without those whose last heartbeat outlives them."""
    pids = {worker.pid for worker in await ready_workers(site.redis)}
    return {pid for pid in pids if Path("/proc", str(pid)).exists()}


def _lines(run: WorkerRun) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.log.splitlines() if line.startswith("{")]


async def test_every_line_of_a_worker_names_it_and_its_process(site: Site) -> None:
    run = await site.worker(LOG_FORMAT="json")
    await site.put("ingest_hospital", {"not": "a record"}, job_id="invalid")
    await site.until(lambda: "job_dead_lettered" in run.log)
    run.send(signal.SIGTERM)
    await run.ended()

    assert len(run.log.splitlines()) == len(_lines(run))
    workers = {(line["worker"].split(":")[1], line["pid"]) for line in _lines(run)}
    assert workers == {(str(run.pid), run.pid)}
    by_action = {line["action"]: line for line in _lines(run)}
    assert {"starting", "redis_connected", "mongo_connected", "job_dead_lettered", "shutdown"} <= set(by_action)
    assert by_action["job_dead_lettered"]["function"] == "ingest_hospital"
    assert by_action["redis_connected"]["redis_version"]


async def test_queue_shows_rates_and_what_a_worker_uses(site: Site) -> None:
    run = await site.worker()
    await ingest(site, 0, 20)
    await site.until(lambda: rates_of(site, 20))
    shown = json.loads((await site.command("queue", "--json")).out)
    (rates,) = shown["rates"]
    (worker,) = shown["workers"]

    assert (rates["queue"], rates["function"], set(rates["minutes"])) == (
        "arq:queue",
        "ingest_hospital",
        {"1", "5", "60"},
    )
    assert all(minutes["outcomes"] == {"complete": 20} for minutes in rates["minutes"].values())
    assert 0 < rates["minutes"]["1"]["run_s"]["p50"] <= rates["minutes"]["1"]["run_s"]["p99"]
    assert (worker["pid"], worker["mongodb_pool"], worker["redis_pool"]) == (run.pid, 100, 20)
    assert worker["version"]
    assert worker["loop_delay_s"] >= 0
    text = (await site.command("queue")).out
    assert re.search(r"^ingest_hospital +\d+\.\d +\d+\.\d +\d+\.\d( +[\d.]+ (ms|s)){4}$", text, re.MULTILINE)
    assert re.search(
        r"^  version \S+, event loop \d+ ms late, \d+ of 100 MongoDB connections, ", text, re.MULTILINE
    )


async def rates_of(site: Site, jobs: int) -> bool:
    rates = json.loads((await site.command("queue", "--json")).out)["rates"]
    return bool(rates) and rates[0]["minutes"]["1"]["outcomes"].get("complete") == jobs


async def test_the_longest_run_is_shown(site: Site) -> None:
    await site.worker("explained_settings.WorkerSettings")
    await site.put("gated", job_id="long")
    await site.until(lambda: longest_run(site))
    state = json.loads((await site.command("queue", "--json")).out)["queues"]["arq:queue"]
    assert (state["in_flight"], state["longest_run_s"] > 1) == (1, True)


async def longest_run(site: Site) -> bool:
    found = json.loads((await site.command("queue", "--json")).out)
    return bool(found["queues"]["arq:queue"]["longest_run_s"] > 1)
