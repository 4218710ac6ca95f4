"""What jobs store in Redis: results that are too large, refused jobs that fill it; slow links, and large fleets.

The jobs of these rows have no hospital; each is accounted for by its result or its dead letter.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ResponseError

from producers.queue import QueueClient
from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.injectors.proxy import Proxy
from tests.faults.stand import Stand
from tests.unit.queue.test_heartbeats import heartbeat
from worker.contract import DEFAULT_QUEUE
from worker.errors import InvalidPayload
from worker.queue import keys
from worker.queue.heartbeats import redis_time, write_heartbeat
from worker.queue.scripts import Enqueue, Scripts
from worker.redis.client import open_redis
from worker.settings import load_settings

STORING = "tests.faults.settings.storing.WorkerSettings"
MEGABYTE = 1024 * 1024


async def _put(
    stand: Stand, name: str, count: int, size: int, *, function: str = "returning", payload: int = 0
) -> list[str]:
    """Enqueue jobs that return `size` characters, with payloads of at least `payload` bytes; return their ids."""
    job_ids = [f"{name}:{number}" for number in range(count)]
    for job_id in job_ids:
        await stand.put(function, size, "p" * payload, job_id=job_id)
    stand.row.accepted += count
    return job_ids


async def _stored(stand: Stand, job_ids: Sequence[str]) -> bool:
    return int(await stand.redis.exists(*(keys.RESULT + job_id for job_id in job_ids))) == len(job_ids)


async def _all_dead(stand: Stand, count: int) -> bool:
    return int(await stand.redis.hlen(keys.DEAD)) == count


async def _runs(stand: Stand, job_ids: Sequence[str]) -> set[bytes]:
    return set(await stand.redis.mget([f"runs:{job_id}" for job_id in job_ids]))


# ---- row 43 -------------------------------------------------------------------------------------------


async def assert_too_large(stand: Stand, job_ids: Sequence[str], says: str) -> None:
    """Check that the jobs ran once and are dead letters that say why."""
    assert await _runs(stand, job_ids) == {b"1"}
    for job_id in job_ids:
        dead_letter = await stand.dead_letters.get(job_id)
        assert dead_letter.failure.type == "ResultTooLarge"
        assert says in dead_letter.failure.message
        assert dead_letter.function == "returning"
        assert dead_letter.has_payload
        assert (await stand.result(job_id))["s"] is False


@pytest.mark.parametrize("lowered", ["before the worker starts", "while it runs"])
async def test_row_43_results_above_the_limit_hold_no_other(stand: Stand, lowered: str) -> None:
    if lowered == "while it runs":
        await stand.worker(STORING)
    await stand.redis.config_set("proto-max-bulk-len", MEGABYTE)
    if lowered != "while it runs":
        await stand.worker(STORING)
    stand.row.faults += 1
    large = await _put(stand, "large", 4, 2 * MEGABYTE)
    fine = await _put(stand, "fine", 300, 100) + await _put(stand, "just fits", 1, MEGABYTE - 1_000)

    await stand.until(lambda: _stored(stand, fine), 20)
    await stand.until(lambda: _all_dead(stand, len(large)), 20)

    await assert_too_large(stand, large, "result too large: 2,097,")
    await assert_too_large(stand, large, "limit 1,048,576")
    await stand.ledger.settle(10)
    stand.row.applied += len(fine)
    stand.row.dead += len(large)


async def test_row_43_a_limit_that_the_worker_may_not_read(stand: Stand) -> None:
    await stand.redis.execute_command(
        *("ACL", "SETUSER", "hosted", "on", ">password", "~*", "&*", "+@all", "-config")
    )
    await stand.redis.config_set("proto-max-bulk-len", MEGABYTE)
    url = stand.redis_server.url.replace("redis://", "redis://hosted:password@")
    await stand.worker(STORING, REDIS_URL=url)
    stand.row.faults += 1
    large = await _put(stand, "large", 2, 2 * MEGABYTE)
    fine = await _put(stand, "fine", 300, 100)

    await stand.until(lambda: _stored(stand, fine), 20)
    await stand.until(lambda: _all_dead(stand, len(large)), 60)

    await assert_too_large(stand, large, "not stored in 5 tries although Redis answers")
    stand.row.applied += len(fine)
    stand.row.dead += len(large)


async def test_row_43_a_result_larger_than_the_memory_of_redis_holds_no_slot(stand: Stand) -> None:
    limit = 12 * MEGABYTE
    await stand.redis.config_set("maxmemory", limit)
    large = await _put(stand, "large", 2, 20 * MEGABYTE)
    stand.row.faults += 1
    worker = await stand.worker(STORING)

    await stand.until(lambda: _all_dead(stand, len(large)), 20)

    await assert_too_large(stand, large, "limit 6,291,456 (half of Redis's maxmemory)")
    await stand.until(lambda: stand.is_ready(worker), 10)

    async def has_room() -> bool:
        # A server keeps the buffers of a large call for some seconds, and refuses new jobs meanwhile.
        return await _used_memory(stand) < limit / 2

    await stand.until(has_room, 20)
    fine = await _put(stand, "fine", 100, 100)
    await stand.until(lambda: _stored(stand, fine), 20)
    stand.row.applied += len(fine)
    stand.row.dead += len(large)


async def test_row_43_a_job_above_the_limit_is_refused_at_the_producer(stand: Stand) -> None:
    await stand.redis.config_set("proto-max-bulk-len", MEGABYTE)
    stand.row.faults += 1
    queue = QueueClient(stand.settings, patience=10)
    job = Enqueue("large", DEFAULT_QUEUE, bytes(2 * MEGABYTE))
    began = time.monotonic()

    with pytest.raises(InvalidPayload, match=r"2,097,152 bytes; this Redis accepts at most 1,048,576"):
        await queue.put([job, Enqueue("small", DEFAULT_QUEUE, b"{}")])

    assert time.monotonic() - began < 5
    assert await stand.redis.zcard(DEFAULT_QUEUE) == 0
    await queue.close()


# ---- row 44 -------------------------------------------------------------------------------------------


async def _used_memory(stand: Stand) -> int:
    return int((await stand.redis.info("memory"))["used_memory"])


async def _put_refused(stand: Stand, count: int, size: int) -> list[str]:
    """Enqueue ingests whose payload breaks the contract; return their ids."""
    job_ids = [f"refused:{number}" for number in range(count)]
    for job_id in job_ids:
        await stand.put(
            "ingest_hospital", {"record": {"hospital_name": "Mercy", "unknown": "u" * size}}, job_id=job_id
        )
    stand.row.accepted += count
    return job_ids


# A worker makes the server take a megabyte more, however many jobs there are, so there are many small ones.
@pytest.mark.parametrize(
    ("size", "count"), [(5_000, 2_000), pytest.param(50_000, 500, marks=pytest.mark.long)], ids=["5 kB", "50 kB"]
)
async def test_row_44_a_refused_job_takes_little_more_than_while_it_was_queued(
    stand: Stand, size: int, count: int
) -> None:
    empty = await _used_memory(stand)
    job_ids = await _put_refused(stand, count, size)
    queued = await _used_memory(stand) - empty

    worker = await stand.worker()
    await stand.until(lambda: _all_dead(stand, count), 60)
    await stand.ledger.settle(10)
    worker.process.terminate()
    assert await worker.ended() == 0

    ratio = (await _used_memory(stand) - empty) / queued
    stand.row.notes["bytes of a refused job over its queued bytes"] = round(ratio, 2)
    stand.row.dead += count
    assert ratio <= 1.3
    dead_letter = await stand.dead_letters.get(job_ids[0])
    assert json.loads(dead_letter.envelope)["a"][0]["record"]["unknown"] == "u" * size
    assert await stand.dead_letters.retry([dead_letter]) == 1
    assert await stand.redis.get(keys.JOB + job_ids[0]) == dead_letter.envelope


async def test_row_44_good_jobs_end_behind_a_backlog_of_refused_ones(stand: Stand) -> None:
    refused, empty = 1_000, await _used_memory(stand)
    await _put_refused(stand, refused, 5_000)
    backlog = await _used_memory(stand) - empty
    limit = empty + int(backlog / 0.45)
    await stand.redis.config_set("maxmemory", limit)
    stand.row.faults += 1
    load = stand.load(amended=0)
    await load.put_many("ingest", 300)
    await stand.worker()

    account = await stand.balance(30)

    assert account.applied == 300
    assert await stand.redis.hlen(keys.DEAD) == refused
    stand.row.dead += refused
    stand.row.notes["share of the memory at the end"] = round(await _used_memory(stand) / limit, 2)


async def _waiting_jobs_run(stand: Stand, count: int) -> bool:
    return int(await stand.redis.get("runs") or 0) == count


async def test_row_44_jobs_in_flight_end_although_redis_is_full(stand: Stand) -> None:
    await stand.redis.set("closed", 1)
    small = await _put(stand, "small", 300, 10, function="waiting", payload=1_000)
    large = await _put(stand, "large", 3, 100_000, function="waiting")
    worker = await stand.worker(STORING, WORKER_MAX_JOBS="400")
    await stand.until(lambda: _waiting_jobs_run(stand, len(small) + len(large)))
    # Redis stays full whatever the jobs free.
    await stand.redis.config_set("maxmemory", MEGABYTE // 2)
    stand.row.faults += 1
    await stand.redis.delete("closed")

    await stand.until(lambda: _stored(stand, small), 20)

    with pytest.raises(ResponseError, match="maxmemory"):
        await stand.redis.set("refused", 1)
    # Their results need more memory than they free, so they wait, still leased.
    assert not await stand.redis.exists(*(keys.RESULT + job_id for job_id in large))
    assert await stand.leases() == len(large)
    await stand.until(lambda: "redis_memory_low" in worker.log)
    await stand.redis.config_set("maxmemory", 0)
    await stand.until(lambda: _stored(stand, large))
    await stand.ledger.settle(10)
    assert await _waiting_jobs_run(stand, len(small) + len(large))
    stand.row.applied += len(small) + len(large)


async def test_row_44_dead_letters_beyond_their_bound_are_moved_to_a_file(
    open_stand: OpenStand, tmp_path: Path
) -> None:
    folder = tmp_path / "dead"
    folder.mkdir()
    kept = 5
    async with open_stand(WORKER_DEAD_LETTER_FOLDER=str(folder), WORKER_DEAD_LETTER_COUNT=str(kept)) as stand:
        job_ids = await _put_refused(stand, 250, 1_000)
        worker = await stand.worker()

        await stand.until(lambda: "dead_letters_moved" in worker.log, 30)
        await stand.until(lambda: _all_dead(stand, kept), 30)

        (file,) = folder.iterdir()
        moved = [json.loads(line) for line in file.read_text().splitlines()]
        assert file.stat().st_mode & 0o777 == 0o600
        left = [dead_letter.job_id async for dead_letter in stand.dead_letters.all()]
        assert sorted([*left, *(line["job_id"] for line in moved)]) == sorted(job_ids)
        assert all(line["payload"] for line in moved)
        assert not await stand.redis.exists(keys.DEAD_PAYLOAD + moved[0]["job_id"])
        stand.row.dead += len(job_ids)


async def _is_unready_because(stand: Stand, worker: WorkerRun, why: str) -> bool:
    stored = json.loads(next(iter((await stand.redis.hgetall(keys.WORKERS)).values())))
    return stored["pid"] == worker.pid and why in stored["why_not"]


@pytest.mark.long
async def test_row_44_an_eviction_policy_that_is_set_later_is_noticed(stand: Stand) -> None:
    worker = await stand.worker()
    await stand.redis.config_set("maxmemory-policy", "allkeys-lru")
    stand.row.faults += 1

    await stand.until(lambda: _is_unready_because(stand, worker, "maxmemory-policy allkeys-lru"), 15)
    assert "redis_eviction_policy" in worker.log

    await stand.redis.config_set("maxmemory-policy", "noeviction")
    await stand.until(lambda: stand.is_ready(worker), 15)


# ---- row 45 -------------------------------------------------------------------------------------------

LINK_BYTES_PER_SECOND = 2_000_000


@asynccontextmanager
async def _behind_a_slow_link(stand: Stand) -> AsyncIterator[tuple[WorkerRun, Proxy]]:
    async with Proxy("127.0.0.1", stand.redis_server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        worker = await stand.worker(STORING, REDIS_URL=url, WORKER_MAX_JOBS="300", REDIS_TIMEOUT="2")
        proxy.limit(LINK_BYTES_PER_SECOND)
        stand.row.faults += 1
        yield worker, proxy


@pytest.mark.long
async def test_row_45_jobs_of_50_kb_flow_over_a_slow_link(stand: Stand) -> None:
    count, size = 400, 50_000
    async with _behind_a_slow_link(stand) as (worker, _):
        began = time.monotonic()
        # All slots together are 15 MB, which the link carries in 7.5 s, far beyond the timeout of 2 s.
        job_ids = await _put(stand, "job", count, 10, payload=size)
        await stand.until(lambda: _stored(stand, job_ids), 60)

        rate = count * size / (time.monotonic() - began)
        stand.row.notes["share of the link that was used"] = round(rate / LINK_BYTES_PER_SECOND, 2)
        assert await _runs(stand, job_ids) == {b"1"}
        stand.row.notes["lost claims"] = worker.log.count("action=claim_recovered")
        assert worker.log.count("action=claim_recovered") <= 5
        stand.row.applied += count


@pytest.mark.long
async def test_row_45_results_of_50_kb_flow_over_a_slow_link(stand: Stand) -> None:
    count, size = 400, 50_000
    async with _behind_a_slow_link(stand):
        job_ids = await _put(stand, "job", count, size)
        await stand.until(lambda: _stored(stand, job_ids), 90)
        assert await _runs(stand, job_ids) == {b"1"}
        stand.row.applied += count


@pytest.mark.long
async def test_row_45_a_job_that_is_too_large_for_the_link_holds_up_no_other(stand: Stand) -> None:
    async with _behind_a_slow_link(stand) as (worker, proxy):
        # 6 MB in 2 s are more than the link carries.
        (large,) = await _put(stand, "large", 1, 10, payload=3 * LINK_BYTES_PER_SECOND)
        await stand.until(lambda: f"action=job_too_large_for_link job_id={large}" in worker.log, 60)
        began = time.monotonic()
        job_ids = await _put(stand, "job", 100, 10, payload=1_000)
        await stand.until(lambda: _stored(stand, job_ids), 10)
        stand.row.note_pause(time.monotonic() - began)

        assert await _runs(stand, job_ids) == {b"1"}
        assert await stand.redis.zscore(DEFAULT_QUEUE, large) is not None
        assert not await stand.redis.exists(keys.TRIES + large)

        proxy.unlimit()
        await stand.until(lambda: _stored(stand, [large]), 60)
        assert await _runs(stand, [large]) == {b"1"}
        stand.row.applied += len(job_ids) + 1


@pytest.mark.long
async def test_row_45_a_producer_enqueues_over_a_slow_link(stand: Stand) -> None:
    payload, size = {"record": {"hospital_name": "n" * 200, "address": "a" * 4_000}}, 250
    async with Proxy("127.0.0.1", stand.redis_server.port) as proxy:
        settings = load_settings(redis_url=f"redis://127.0.0.1:{proxy.port}/0", redis_timeout=1)
        queue = QueueClient(settings, patience=10)
        jobs = [Enqueue(f"job:{n}", DEFAULT_QUEUE, json.dumps(payload).encode()) for n in range(size)]
        await queue.open()
        # One group is 1 MB, which the link carries in 4 s, beyond the timeout of 1 s.
        proxy.limit(250_000)
        stand.row.faults += 1

        assert await queue.put(jobs) == ["new"] * size

        assert await stand.redis.zcard(DEFAULT_QUEUE) == size
        assert (await stand.redis.get(keys.JOB + "job:0")) == jobs[0].payload
        await queue.close()


# ---- row 46 -------------------------------------------------------------------------------------------

SETTLED_WITHIN_S = 5.0


@pytest.mark.long
@pytest.mark.parametrize(("workers", "slots"), [(100, 300), (500, 400)])
async def test_row_46_a_fleet_reconnects_at_once(stand: Stand, workers: int, slots: int) -> None:
    # Bare clients, each with a connection of its own.
    redis = open_redis(load_settings(redis_url=stand.redis_server.url, redis_pool_size=workers))
    scripts, jobs = Scripts(redis), workers * slots
    for first in range(0, jobs, 1_000):
        await scripts.enqueue(Enqueue(f"job:{n}", DEFAULT_QUEUE, b"{}") for n in range(first, first + 1_000))
    tokens = [f"host:{number}:abc:1" for number in range(workers)]
    for token in tokens:
        assert len((await scripts.claim(token, 3_600_000, slots, [(DEFAULT_QUEUE, slots)])).jobs) == slots
    stand.row.faults += workers
    stand.row.accepted += jobs

    began = time.monotonic()
    async with asyncio.timeout(60):
        recovered = await asyncio.gather(*(scripts.recover(token, [DEFAULT_QUEUE]) for token in tokens))
    settled_s = time.monotonic() - began

    stand.row.notes["settled after s"] = round(settled_s, 2)
    assert [count for count, _ in recovered] == [slots] * workers
    assert await stand.redis.hlen(keys.LEASES) == 0
    assert settled_s < SETTLED_WITHIN_S
    assert (await scripts.counts([DEFAULT_QUEUE])).queues[DEFAULT_QUEUE].due == jobs
    stand.row.applied += jobs
    await redis.aclose(close_connection_pool=True)


@pytest.mark.long
async def test_row_46_workers_that_are_gone_cost_a_living_one_nothing(stand: Stand) -> None:
    now = await redis_time(stand.redis)
    stored: dict[str | bytes, Any] = {
        f"gone:{number}": heartbeat(f"gone:{number}", at=now, started_at=now).model_dump_json()
        for number in range(20_000)
    }
    await stand.redis.hset(keys.WORKERS, mapping=stored)
    living = heartbeat("living", at=now, started_at=now)
    await write_heartbeat(stand.redis, living)
    beats = 100

    began = time.process_time()
    for _ in range(beats):
        await write_heartbeat(stand.redis, living)
    cost_s = (time.process_time() - began) / beats

    stand.row.notes["CPU ms of a heartbeat"] = round(cost_s * 1000, 2)
    # One is written every second.
    assert cost_s < 0.01
