"""A worker and a producer survive the failover after the death of a Redis master with Sentinel."""

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from arq.worker import func
from pydantic import BaseModel
from redis.asyncio import Redis

from producers.client import HospitalProducer
from tests.integration.engine.conftest import Bench
from tests.integration.redis.sentinel_servers import Cluster, started_cluster
from worker.contract import DEFAULT_QUEUE, HospitalRecord, JobSpec, batch_job_id
from worker.embedded import EmbeddedRedis
from worker.embedded.ports import LOOPBACK
from worker.queue import keys

FAILED_OVER_WITHIN = 15.0  # seconds; the sentinels themselves take about three


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with started_cluster() as cluster:
        yield cluster


@pytest_asyncio.fixture
async def failing_bench(cluster: Cluster) -> AsyncIterator[Bench]:
    bench = Bench(cluster.url)
    yield bench
    await bench.redis.aclose(close_connection_pool=True)


async def test_worker_and_producer_survive_a_failover_while_a_job_runs(
    cluster: Cluster, failing_bench: Bench
) -> None:
    bench, gate = failing_bench, asyncio.Event()
    runs: Counter[str] = Counter()

    async def work(ctx: dict[str, Any]) -> str:
        runs[ctx["job_id"]] += 1
        await gate.wait()
        return "worked"

    async def ingest_hospital(ctx: dict[str, Any], payload: dict[str, Any]) -> str:
        return str(payload["record"]["hospital_name"])

    functions = func(work, name="work"), func(ingest_hospital, name="ingest_hospital")
    held = await bench.put("work")
    async with (
        HospitalProducer.connect(bench.settings, patience=FAILED_OVER_WITHIN) as producer,
        bench.serving(*functions, queues={bench.queue: 10, DEFAULT_QUEUE: 10}, lease=2) as worker,
    ):
        await bench.until(lambda: runs)
        # Replication is asynchronous: a claim that the replica does not know is not a claim after the failover.
        await bench.until(lambda: _knows_lease(cluster.replica, held))
        await cluster.master.kill()
        await bench.until(lambda: not worker.redis_health.is_up)

        # The producer waits for the new master.
        job = await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        assert await bench.outcome(job.job_id, FAILED_OVER_WITHIN) == "Mercy"
        assert (await bench.redis.info("server"))["process_id"] == cluster.replica.pid

        # The lease renewer's own connection follows too.
        end = await _lease_end(bench, held)
        await bench.until(lambda: _ends_after(bench, held, end + 2_500))
        gate.set()
        assert await bench.outcome(held) == "worked"
        await bench.until(lambda: bench.is_ready(worker))
    assert runs == {held: 1}


class Payload(BaseModel):
    """What the jobs of the batch take and return."""


async def test_a_batch_that_is_open_during_a_failover_completes_once(
    cluster: Cluster, failing_bench: Bench
) -> None:
    bench, gate = failing_bench, asyncio.Event()
    runs: Counter[str] = Counter()

    async def work(ctx: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        runs["work"] += 1
        await gate.wait()
        ctx["batch"].count("rows", 5)
        return payload

    async def completed(ctx: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        runs["completed"] += 1
        return payload

    functions = func(work, name="work"), func(completed, name="completed")
    kinds = [JobSpec(name, Payload, Payload) for name in ("work", "completed")]
    async with (
        HospitalProducer.connect(bench.settings, patience=FAILED_OVER_WITHIN) as producer,
        bench.serving(*functions, queues={DEFAULT_QUEUE: 10}, lease=2) as worker,
    ):
        batch = producer.batch("failing-over")
        await batch.create((kinds[1], Payload()))
        await batch.add(kinds[0], [Payload()] * 3, keys=["0", "1", "2"])
        await bench.until(lambda: runs["work"] == 3)
        for key in "012":
            await bench.until(
                functools.partial(_knows_lease, cluster.replica, batch_job_id(kinds[0], batch.id, key))
            )
        await cluster.master.kill()
        await bench.until(lambda: not worker.redis_health.is_up)

        # The producer waits for the new master.
        await batch.seal()
        gate.set()

        progress = await batch.wait(FAILED_OVER_WITHIN)
        assert (progress.complete, progress.total, progress.counts) == (3, 3, {"rows": 15})
        await batch.completion(kinds[1]).outcome(timeout=10)
        assert (await bench.redis.info("server"))["process_id"] == cluster.replica.pid
    assert runs == {"work": 3, "completed": 1}


async def _knows_lease(server: EmbeddedRedis, job_id: str) -> bool:
    async with Redis(host=LOOPBACK, port=server.port) as redis:
        return bool(await redis.hexists(keys.LEASES, job_id))


async def _lease_end(bench: Bench, job_id: str) -> float:
    end: float = await bench.redis.zscore(bench.queue + keys.LEASED_SUFFIX, job_id)
    return end


async def _ends_after(bench: Bench, job_id: str, end_ms: float) -> bool:
    return await _lease_end(bench, job_id) > end_ms
