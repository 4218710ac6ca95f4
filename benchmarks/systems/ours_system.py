"""This project: the product itself, with its own jobs and with no-op jobs."""

import uuid
from collections.abc import Sequence
from typing import Any

from arq.connections import ArqRedis
from arq.utils import timestamp_ms

from benchmarks.bench import until
from benchmarks.jobs import STARTS, Payload
from benchmarks.systems.base import JobName, System
from producers.client import HospitalProducer
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, IngestHospital
from worker.engine.arq_redis import open_arq_redis
from worker.queue.scripts import Enqueue, Scripts
from worker.settings import load_settings

PRODUCT_WORKER = ("-m", "arq", "worker.main.WorkerSettings")

_PER_CALL = 500


class Ours(System):
    """The product: its engine, its settings, its command line."""

    name = "ours"

    def arguments(self, job: JobName) -> Sequence[str]:
        """Return the command line that runs the product, or for no-op jobs the product with additional jobs."""
        return PRODUCT_WORKER if job == "ingest_hospital" else ("-m", "arq", "benchmarks.product.WorkerSettings")

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Enqueue; ingests go through the product's producer."""
        settings = load_settings(redis_url=redis_url)
        if job == "ingest_hospital":
            async with HospitalProducer.connect(settings) as producer:
                await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital.model_validate(p) for p in payloads])
            return
        async with open_arq_redis(settings, Codec()) as redis:
            await enqueue_named(redis, job, new_ids(len(payloads)))

    async def unfinished(self, redis: Any, jobs: int) -> int:  # noqa: ARG002 (other systems need it)
        """Count the queue: the step that stores a job's result removes the job from it."""
        return int(await redis.zcard(DEFAULT_QUEUE))


SYSTEM = Ours()


async def enqueue_named(redis: ArqRedis, function: str, job_ids: Sequence[str], queue: str = DEFAULT_QUEUE) -> None:
    """Enqueue calls without arguments, as fast as the scripts accept them."""
    envelope = Codec().encode({"t": None, "f": function, "a": [], "k": {}, "et": timestamp_ms()})
    scripts = Scripts(redis)
    for start in range(0, len(job_ids), _PER_CALL):
        await scripts.enqueue(Enqueue(job_id, queue, envelope) for job_id in job_ids[start : start + _PER_CALL])


def new_ids(jobs: int) -> list[str]:
    """Return that many new job ids."""
    return [uuid.uuid4().hex for _ in range(jobs)]


async def nth_start(redis: ArqRedis, job_id: str, number: int) -> int:
    """Wait for the start number `number`, from 1, of a job that records its starts, and return its time."""

    async def poll() -> bytes | None:
        began: bytes | None = await redis.lindex(STARTS + job_id, number - 1)
        return began

    return int(await until(poll, f"job {job_id} had no start number {number} for a minute"))
