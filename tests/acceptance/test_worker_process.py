"""A worker process runs jobs, keeps dead letters, and logs no payload and no secret."""

import asyncio
import json
import platform
import signal

import pytest

from tests.acceptance.conftest import Site
from tests.support.memory import thread_heaps, threads
from worker.contract import HospitalRecord
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.queue import keys

MARK = "Xanthippe"
PASSWORD = "Sesame0pen"
MOST_HEAPS = 6


async def test_jobs_run_and_dead_letters_are_kept(site: Site) -> None:
    worker = await site.worker(LOG_LEVEL="DEBUG")
    await site.put(
        "register_hospital", {"record": {"hospital_name": ""}, MARK: MARK}, job_id="register_hospital:bad"
    )
    async with site.producer() as producer:
        receipts = [
            await producer.register_hospital(
                HospitalRecord(hospital_name=f"{MARK} {number % 5}"), actor=MARK, reason=MARK
            )
            for number in range(20)
        ]
        outcomes = [(await receipt.outcome(timeout=30)).status for receipt in receipts]
    assert sorted(outcomes) == ["conflict"] * 15 + ["registered"] * 5
    await site.until(lambda: site.redis.hexists(keys.DEAD, "register_hospital:bad"))
    dead_letter = await site.dead_letters.get("register_hospital:bad")
    assert (dead_letter.function, dead_letter.failure.type, dead_letter.failure.tries) == (
        "register_hospital",
        "InvalidPayload",
        1,
    )
    assert MARK.encode() in dead_letter.envelope
    worker.send(signal.SIGTERM)
    await worker.ended()
    assert "register_hospital" in worker.log
    assert MARK not in worker.log


async def test_an_outage_of_mongodb_costs_no_try(site: Site, mongo: EmbeddedMongo) -> None:
    """The job waits until MongoDB is back, however often it runs meanwhile."""
    await site.worker(MONGODB_SELECTION_TIMEOUT="0.3", WORKER_MAX_TRIES="2", LOG_LEVEL="DEBUG")
    await mongo.members[0].kill()
    async with site.producer() as producer:
        receipt = await producer.ingest_hospital(HospitalRecord(hospital_name=MARK))
        seen: set[float] = set()
        await site.until(lambda: _rescheduled_often(site, receipt.job_id, seen))
        await mongo.start()
        assert (await receipt.outcome(timeout=30)).status == "created"
        assert (await producer.status(receipt.job_id)).tries <= 2
    assert await site.redis.hlen(keys.DEAD) == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives each thread a heap of its own")
async def test_the_threads_of_the_driver_share_one_heap(site: Site) -> None:
    worker = await site.worker()
    async with site.producer() as producer:
        receipts = await asyncio.gather(
            *(producer.ingest_hospital(HospitalRecord(hospital_name=f"{MARK} {number}")) for number in range(100))
        )
        for receipt in receipts:
            assert (await receipt.outcome(timeout=30)).status == "created"
    # Those few belong to threads of the engine, which start before the driver's.
    assert thread_heaps(worker.pid) < MOST_HEAPS < threads(worker.pid) / 3


async def _rescheduled_often(site: Site, job_id: str, seen: set[float]) -> bool:
    """Whether the job was returned to the queue more often than it has tries."""
    seen.add(await site.redis.zscore("arq:queue", job_id))
    return len(seen) > 6


async def test_the_password_of_redis_is_in_no_log(site: Site) -> None:
    async with EmbeddedRedis(password=PASSWORD) as redis:
        run = await site.start(REDIS_URL=redis.url, LOG_LEVEL="DEBUG")
        await site.until(lambda: "connected to MongoDB" in run.log, 30)
        run.send(signal.SIGTERM)
        await run.ended()
    assert PASSWORD not in run.log


async def test_every_log_line_is_json_if_configured(site: Site) -> None:
    worker = await site.worker(LOG_FORMAT="json")
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    lines = [json.loads(line) for line in worker.log.splitlines()]
    assert {"mongo_connected", "shutdown"} <= {line.get("action") for line in lines}
