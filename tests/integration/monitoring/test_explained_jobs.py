"""Each state of a job is planted by the scripts that bring it about, and explained by the real command."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.monitoring.conftest import WORKER, Planted
from worker.contract import DEFAULT_QUEUE
from worker.errors import InvalidEnvelope, RemoteError
from worker.monitoring.job_facts import read_job_facts
from worker.queue import keys
from worker.queue.dead_letter import Failure
from worker.queue.heartbeats import redis_time
from worker.queue.job_state import look_up
from worker.queue.script_source import script_source

JOB = "ingest_hospital:42"
BATCH_JOB = "ingest_hospital:~batch:load-7:1"
HELD = "ingest_hospital: MongoDB refuses an operation"


async def waiting(planted: Planted) -> None:
    await planted.heartbeat(running=12)
    await planted.enqueue("first")
    await planted.enqueue("second")
    await planted.redis.zadd(DEFAULT_QUEUE, {"first": 1, "second": 2}, xx=True)
    await planted.enqueue(JOB)


async def scheduled(planted: Planted) -> None:
    await planted.enqueue(JOB, delay_ms=600_000)


async def retried(planted: Planted) -> None:
    await planted.enqueue(JOB)
    now_ms = int((await redis_time(planted.redis)).timestamp() * 1000)
    failure = Failure(type="TransientError", message="a patient", tries=1, at_ms=now_ms)
    record = failure.model_dump_json().encode()
    await planted.finish(await planted.claim(), "retry", delay_ms=60_000, record=record)


async def leased(planted: Planted) -> None:
    await planted.heartbeat()
    await planted.enqueue(JOB)
    await planted.claim()


async def lapsed(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.claim()
    await planted.let_lease_end(JOB)


async def function_unknown(planted: Planted) -> None:
    await planted.heartbeat()
    await planted.enqueue(JOB, f="no_such_job")
    await planted.finish(await planted.claim(), "retry", delay_ms=5_000, tries="keep")
    now_ms = int((await redis_time(planted.redis)).timestamp() * 1000)
    await planted.redis.zadd(keys.UNKNOWN, {"no_such_job": now_ms})


async def no_worker(planted: Planted) -> None:
    await planted.heartbeat(queues=["arq:queue:bulk"])
    await planted.enqueue(JOB)


async def not_ready(planted: Planted) -> None:
    await planted.heartbeat(ready=False, why_not="stopping")
    await planted.enqueue(JOB)


async def held(planted: Planted) -> None:
    await planted.heartbeat(held=[HELD])
    await planted.enqueue(JOB)
    await planted.finish(await planted.claim(), "retry", delay_ms=200_000, tries="keep")


async def mongodb_unavailable(planted: Planted) -> None:
    await planted.heartbeat(ready=False, why_not="MongoDB is unavailable")
    await planted.enqueue(JOB)


async def suspected(planted: Planted) -> None:
    await planted.heartbeat()
    await planted.enqueue(JOB)
    for worker in ("first", "second"):
        await planted.claim(worker)
        await planted.let_lease_end(JOB)
    await planted.finish(await planted.claim("third"), "retry", "third", delay_ms=500, tries="keep")


async def batch_cancelled(planted: Planted) -> None:
    await planted.batches.create("load-7", None)
    await planted.enqueue(BATCH_JOB, batch="load-7")
    # The first step of a cancellation, whose caller has died.
    close = planted.redis.register_script(script_source("batch_close"))
    await close(keys=[keys.CLOCK, keys.LEASES], args=["load-7", "cancelled"])


async def dropped(planted: Planted) -> None:
    await planted.batches.create("load-7", None)
    await planted.enqueue(BATCH_JOB, batch="load-7")
    await planted.batches.cancel("load-7")


async def abort_asked(planted: Planted) -> None:
    await planted.enqueue(JOB, delay_ms=600_000)
    assert (await planted.command("jobs", "abort", JOB)).code == 0


async def abort_of_a_running_job(planted: Planted) -> None:
    await leased(planted)
    assert (await planted.command("jobs", "abort", JOB)).code == 0


async def aborted(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.end(await planted.claim(), asyncio.CancelledError(), success=False)


async def dead(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.die(await planted.claim())


async def finished(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.end(await planted.claim(), {"status": "created", "name": "a patient"}, success=True)


async def failed(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.end(await planted.claim(), RemoteError("ValueError", "a patient"), success=False)


async def expired(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.redis.delete(keys.JOB + JOB)


async def not_readable(planted: Planted) -> None:
    await planted.redis.set(keys.RESULT + JOB, b"\x80\x04a patient")


async def never_seen(_: Planted) -> None:
    return None


async def of_arq(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.redis.set(keys.IN_PROGRESS + JOB, b"1", px=60_000)


async def on_no_queue(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.redis.zrem(DEFAULT_QUEUE, JOB)


LEASED = f"is leased by worker {WORKER} (host vm, pid 8903) until IN, running for at most N s"
CASES: dict[Callable[[Planted], Awaitable[None]], tuple[str, str]] = {
    waiting: ("queued", "waits behind 2 due jobs of arq:queue: 1 ready worker, 12 of 300 slots busy"),
    scheduled: ("deferred", "is deferred until IN, as scheduled"),
    retried: ("deferred", "is deferred until IN: try 1 ended AGO with TransientError"),
    leased: ("running", LEASED),
    lapsed: ("queued", f"was leased by worker {WORKER}, whose lease ended AGO and was not renewed"),
    function_unknown: (
        "deferred",
        "waits for a worker that has the function 'no_such_job': none that serves arq:queue had it, as of AGO",
    ),
    no_worker: ("queued", "waits for a worker: none serves arq:queue"),
    not_ready: ("queued", "waits for a ready worker: 1 worker serves arq:queue, not ready: stopping"),
    held: (
        "deferred",
        "waits, because the circuit breaker of ingest_hospital is open: MongoDB refuses an operation",
    ),
    mongodb_unavailable: (
        "queued",
        "waits for MongoDB, which is unavailable to the 1 worker of arq:queue",
    ),
    suspected: (
        "queued",
        "is suspected of ending its workers, because 2 leases of it were lost: it waits to run alone",
    ),
    batch_cancelled: ("queued", "is to be dropped, because its batch load-7 was cancelled"),
    dropped: ("dropped", "was dropped, because its batch load-7 was cancelled"),
    abort_asked: ("queued", "is to be aborted, as asked AGO; no worker runs it now"),
    abort_of_a_running_job: ("running", f"is to be aborted, as asked AGO; it {LEASED}"),
    aborted: ("aborted", "was aborted AGO"),
    dead: ("dead", "was dead-lettered AGO after 1 try: permanent error (InvalidPayload)"),
    finished: ("done", "finished AGO after 1 try with the outcome created"),
    failed: ("failed", "failed AGO after 1 try (ValueError); no dead letter of it is kept"),
    expired: (
        "queued",
        "is queued without a payload: that has expired, as arq's own producers let it, or was deleted",
    ),
    not_readable: (
        "ended",
        f"has a result that is not readable: {JOB} has ended, but its result is not accepted: not a JSON envelope",
    ),
    never_seen: (
        "unknown",
        "is not known: it was never enqueued, or it ended longer ago than results are kept (WORKER_KEEP_RESULT)",
    ),
    of_arq: ("running", "is run by a worker of arq's own, which holds no lease"),
    on_no_queue: (
        "queued",
        "has a payload, but is on none of the queues arq:queue, arq:queue:bulk: no worker takes it",
    ),
}
IN_A_BATCH = frozenset({batch_cancelled, dropped})
# What `hospital-producer status` says where it has no word of its own.
STATUS = {"aborted": "failed", "dropped": "unknown"}


@pytest.mark.parametrize("plant", CASES, ids=lambda plant: plant.__name__)
async def test_each_planted_case_is_explained(planted: Planted, plant: Any) -> None:
    await plant(planted)
    job_id = BATCH_JOB if plant in IN_A_BATCH else JOB
    state, reason = await planted.explained(job_id)
    assert (state, re.sub(r"at most \d+ s\b", "at most N s", reason)) == CASES[plant]
    if state == "ended":
        with pytest.raises(InvalidEnvelope):
            await look_up(planted.redis, planted.codec, job_id)
    else:
        assert (await look_up(planted.redis, planted.codec, job_id)).state == STATUS.get(state, state)


async def test_a_redis_that_is_unavailable_is_the_command_s_own_error(planted: Planted) -> None:
    for name in ("explain", "show", "abort"):
        done = await planted.command("jobs", name, JOB, REDIS_URL="redis://127.0.0.1:1")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(
            "hospital-worker: REDIS_URL: Redis at 127.0.0.1:1 does not answer (ConnectionError)"
        )


async def test_a_queue_that_only_a_worker_knows_is_found(planted: Planted) -> None:
    await planted.heartbeat(queues=["arq:queue:own"])
    await planted.enqueue(JOB, queue="arq:queue:own")
    assert await planted.explained(JOB) == (
        "queued",
        "waits behind 0 due jobs of arq:queue:own: 1 ready worker, 0 of 300 slots busy",
    )


@pytest.mark.parametrize(("size", "function"), [(60_000, "geocode"), (70_000, None)])
async def test_only_a_small_payload_is_read_for_the_name_of_its_function(
    planted: Planted, size: int, function: str | None
) -> None:
    await planted.enqueue("own", f="geocode", a=["x" * size])
    facts = await read_job_facts(planted.redis, planted.codec, "own")
    assert (facts.function, facts.payload) == (function, "stored")
    assert facts.payload_bytes is not None
    assert facts.payload_bytes > size


async def test_all_failed_tries_that_are_kept_are_read_the_oldest_first(planted: Planted) -> None:
    await planted.enqueue(JOB)
    for number in range(1, 4):
        failure = Failure(type=f"Error{number}", message="a patient", tries=number, at_ms=number)
        record = b"foreign" if number == 2 else failure.model_dump_json().encode()
        await planted.finish(await planted.claim(), "retry", record=record)
    facts = await read_job_facts(planted.redis, planted.codec, JOB)
    assert [failure.type for failure in facts.failures] == ["Error1", "Error3"]
    assert facts.failure == facts.failures[-1]


async def test_the_batch_and_the_function_of_a_large_payload_are_known_by_the_id(planted: Planted) -> None:
    await planted.batches.create("load-7", None)
    await planted.enqueue(BATCH_JOB, batch="load-7", a=["x" * 70_000])
    facts = await read_job_facts(planted.redis, planted.codec, BATCH_JOB)
    assert facts.function == "ingest_hospital"
    assert facts.batch is not None
    assert (facts.batch.progress.batch_id, facts.batch.outcome) == ("load-7", None)


async def test_a_batch_is_known_by_the_envelope_of_a_job_with_an_id_of_its_own(planted: Planted) -> None:
    await planted.batches.create("load-7", None)
    await planted.enqueue(JOB, batch="load-7", b="load-7")
    await planted.finish(await planted.claim(), "done", tries="drop", batch="load-7 complete")
    # Its envelope is gone, and with it the name of its batch.
    assert (await planted.explained(JOB))[0] == "unknown"
    await planted.enqueue("other", batch="load-7", b="load-7")
    facts = await read_job_facts(planted.redis, planted.codec, "other")
    assert facts.batch is not None


async def test_what_a_batch_knows_of_a_job_outlives_its_result(planted: Planted) -> None:
    await planted.batches.create("load-7", None)
    await planted.enqueue(BATCH_JOB, batch="load-7")
    await planted.finish(await planted.claim(), "done", tries="drop", batch="load-7 complete")
    assert await planted.explained(BATCH_JOB) == (
        "done",
        "has ended (complete), as its batch load-7 says; its result is not kept any more",
    )


async def test_the_facts_cost_the_same_however_many_jobs_wait(planted: Planted) -> None:
    await planted.heartbeat()
    await planted.enqueue(JOB)
    few = await _commands_and_seconds(planted)
    for first in range(0, 100_000, 1_000):
        await planted.redis.zadd(DEFAULT_QUEUE, {f"job-{number}": number for number in range(first, first + 1_000)})
    many = await _commands_and_seconds(planted)
    assert many[0] == few[0] == 1
    assert many[1] < 0.05
    # Its last heartbeat may be too old by now.
    await planted.heartbeat()
    assert (await planted.explained(JOB))[1].startswith("waits behind 100,000 due jobs of arq:queue")


async def _commands_and_seconds(planted: Planted) -> tuple[int, float]:
    """Return how many calls the facts of a job take, and the least seconds of twenty readings."""
    seconds = []
    for _ in range(20):
        await planted.redis.config_resetstat()
        began = time.perf_counter()
        await read_job_facts(planted.redis, planted.codec, JOB)
        seconds.append(time.perf_counter() - began)
    calls = await planted.redis.info("commandstats")
    return sum(calls.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval", "exec")), min(
        seconds
    )


@pytest.mark.parametrize("key", [keys.JOB, keys.RESULT, keys.TRIES, keys.HISTORY, keys.IN_PROGRESS])
async def test_a_key_of_another_type_does_not_stop_an_explanation(planted: Planted, key: str) -> None:
    await planted.heartbeat()
    await planted.enqueue(JOB)
    await planted.redis.delete(key + JOB)
    await planted.redis.zadd(key + JOB, {"foreign": 1})
    state, reason = await planted.explained(JOB)
    assert state in ("queued", "running", "ended")
    assert reason


@pytest.mark.parametrize("key", [keys.BATCH, keys.BATCH_JOBS])
async def test_a_batch_of_another_type_does_not_stop_an_explanation(planted: Planted, key: str) -> None:
    await planted.batches.create("load-7", None)
    await planted.enqueue(BATCH_JOB, batch="load-7")
    await planted.redis.set(key + "load-7", "foreign")
    assert await planted.explained(BATCH_JOB) == ("queued", "waits for a worker: none serves arq:queue")


async def test_an_id_that_stays_taken_after_a_cron_job_is_not_running(planted: Planted) -> None:
    await planted.enqueue(JOB)
    await planted.redis.set(keys.IN_PROGRESS + JOB, "ended")
    assert await planted.explained(JOB) == ("queued", "waits for a worker: none serves arq:queue")


async def test_values_that_no_worker_wrote_do_not_stop_an_explanation(planted: Planted) -> None:
    await planted.enqueue(JOB, b=[], f="x" * 300)
    await planted.redis.set(keys.TRIES + JOB, "many")
    await planted.redis.rpush(keys.HISTORY + JOB, "{}")
    await planted.redis.hset(keys.CRASHES, JOB, "often")
    await planted.redis.zadd(keys.ABORT, {JOB: "-inf"})
    await planted.redis.zadd(DEFAULT_QUEUE, {JOB: "inf"})
    await planted.redis.hset(keys.WORKERS, "old", '{"lanes": []}')
    assert await planted.explained(JOB) == (
        "deferred",
        "is deferred until a time that no calendar has, as scheduled",
    )


async def test_a_shared_key_of_another_type_is_named(planted: Planted) -> None:
    await planted.redis.set(keys.CRASHES, "foreign")
    done = await planted.command("jobs", "explain", JOB)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "hospital-worker: the key arq:crashes in Redis holds string, not hash. Another program wrote it"
    )


async def test_a_worker_of_an_earlier_version_is_seen(planted: Planted) -> None:
    await planted.heartbeat()
    stored = (
        (await planted.redis.hget(keys.WORKERS, WORKER))
        .replace(b'"queues"', b'"lanes"')
        .replace(b'"held":[],', b"")
    )
    await planted.redis.hset(keys.WORKERS, WORKER, stored)
    await planted.enqueue(JOB)
    assert await planted.explained(JOB) == (
        "queued",
        "waits behind 0 due jobs of arq:queue: 1 ready worker, 0 of 300 slots busy",
    )
