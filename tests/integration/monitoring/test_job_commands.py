"""What `jobs show` and `jobs abort` print, and their exit codes; tests/acceptance has a real worker."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.monitoring.conftest import WORKER, Planted
from tests.integration.monitoring.test_explained_jobs import (
    BATCH_JOB,
    JOB,
    aborted,
    batch_cancelled,
    dead,
    dropped,
    failed,
    finished,
    leased,
    never_seen,
    not_readable,
    retried,
    scheduled,
    waiting,
)
from worker.cli import app
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.abort_requests import make_due
from worker.queue.heartbeats import redis_time

FACTS: dict[Any, dict[str, object]] = {
    waiting: {
        "state": "queued", "function": "ingest_hospital", "queue": DEFAULT_QUEUE, "due_jobs_before": 2,
        "payload": "stored", "tries_spent": 0, "leased_by": None, "leased_until": None,
        "workers": [f"{WORKER}: ready"],
    },
    leased: {"state": "running", "leased_by": WORKER, "due_at": None, "due_jobs_before": None},
    retried: {"state": "deferred", "tries_spent": 1, "last_error": "TransientError", "due_jobs_before": None},
    dead: {
        "state": "dead", "error": "InvalidPayload", "dead_reason": "permanent error", "payload": "stored",
        "payload_bytes": 9, "queue": DEFAULT_QUEUE,
    },
    finished: {"state": "done", "outcome": "created", "error": None, "payload": "missing", "run_s": 0.0},
    failed: {"state": "failed", "error": "ValueError"},
    batch_cancelled: {"state": "queued", "batch": "load-7", "batch_state": "cancelling", "batch_outcome": None},
    dropped: {"state": "dropped", "batch": "load-7", "batch_state": "cancelled", "batch_outcome": "dropped"},
    never_seen: {"state": "unknown", "function": "ingest_hospital", "queue": None, "payload": "missing"},
}  # fmt: skip
IN_A_BATCH = (batch_cancelled, dropped)


@pytest.mark.parametrize("plant", FACTS, ids=lambda plant: plant.__name__)
async def test_the_facts_of_a_job_are_shown_without_its_payload(planted: Planted, plant: Any) -> None:
    await plant(planted)
    job_id = BATCH_JOB if plant in IN_A_BATCH else JOB
    done = await planted.command("jobs", "show", job_id, "--json")
    assert (done.code, done.err) == (1 if plant is never_seen else 0, "")
    shown = json.loads(done.out)
    assert {name: shown[name] for name in FACTS[plant]} == FACTS[plant]
    assert "patient" not in done.out
    table = await planted.command("jobs", "show", job_id)
    assert table.code == done.code
    assert max(map(len, table.out.splitlines())) <= 80
    assert "patient" not in table.out


async def test_a_table_has_a_line_for_each_fact_that_is_known(planted: Planted) -> None:
    await waiting(planted)
    done = await planted.command("jobs", "show", JOB)
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[:4] == [
        f"job id           {JOB}",
        "state            queued",
        "function         ingest_hospital",
        "queue            arq:queue",
    ]
    assert "due jobs before  2" in lines
    assert lines[-1] == f"workers          {WORKER}: ready"
    assert not any(line.startswith("leased") for line in lines)


async def test_an_explanation_for_a_person_fits_80_columns(planted: Planted) -> None:
    job_id = "ingest_hospital:" + "x" * 200
    await planted.enqueue(job_id)
    done = await planted.command("jobs", "explain", job_id)
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "".join(lines).count("x") == 200
    assert lines[-3:] == [
        "state   queued",
        "reason  waits for a worker: none serves arq:queue",
        "change  start a worker that serves arq:queue (WORKER_QUEUES)",
    ]


async def test_an_id_with_control_codes_or_bytes_that_are_not_utf_8_is_shown_escaped(planted: Planted) -> None:
    done = await planted.command("jobs", "explain", "\x1b[31mred\nforged")
    assert (done.code, done.out.splitlines()[0].rstrip()) == (1, r"job     \x1b[31mred\nforged")
    await planted.redis.zadd(DEFAULT_QUEUE, {b"\xff": 1})
    job_id = b"\xff".decode(errors="surrogateescape")
    done = await planted.command("jobs", "explain", job_id)
    assert (done.code, done.out.splitlines()[0].rstrip()) == (0, r"job     \udcff")
    assert (await planted.command("jobs", "abort", job_id)).code == 0
    assert await planted.redis.zscore(keys.ABORT, b"\xff") is not None


async def test_an_abort_is_asked_for_as_arq_does(planted: Planted) -> None:
    await leased(planted)
    lease_end = await planted.redis.zscore(DEFAULT_QUEUE, JOB)
    done = await planted.command("jobs", "abort", JOB)
    assert (done.code, done.out, done.err) == (0, f"abort asked for: {JOB} (running)\n", "")
    now_ms = (await redis_time(planted.redis)).timestamp() * 1000
    assert now_ms - 5_000 < await planted.redis.zscore(keys.ABORT, JOB) <= now_ms
    assert await planted.redis.zscore(DEFAULT_QUEUE, JOB) == lease_end


async def test_a_deferred_job_is_made_due_so_that_it_ends_now(planted: Planted) -> None:
    await scheduled(planted)
    done = await planted.command("jobs", "abort", JOB)
    assert (done.code, done.out) == (0, f"abort asked for: {JOB} (deferred)\n")
    job = await planted.claim()
    assert (job.job_id, job.abort_ms > 0) == (JOB.encode(), True)


async def test_a_job_that_has_left_its_queue_meanwhile_is_not_put_back(planted: Planted) -> None:
    await make_due(planted.redis, JOB, DEFAULT_QUEUE, 1)
    assert await planted.redis.zcard(DEFAULT_QUEUE) == 0


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (aborted, "was aborted 2"),
        (dead, "was dead-lettered 2"),
        (finished, "finished 2"),
        (not_readable, "has a result that is not readable"),
        (never_seen, "is not known: it was never enqueued"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_has_ended_or_is_not_known_is_not_aborted(planted: Planted, plant: Any, reason: str) -> None:
    await plant(planted)
    done = await planted.command("jobs", "abort", JOB)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"hospital-worker: nothing to abort: {JOB} {reason}")
    assert await planted.redis.zcard(keys.ABORT) == 0


@pytest.mark.parametrize("arguments", [[], ["explain"], ["show"], ["retry"], ["abort"]], ids=" ".join)
def test_the_help_is_not_cut_off_at_80_columns(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, ["jobs", *arguments, "--help"], terminal_width=80).output
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.replace("[ARGS]...", "")
    assert "…" not in shown
