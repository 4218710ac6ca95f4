"""This project: the product itself, with jobs of its own and such as do nothing."""

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
        """Return the command line that runs the product; for what it does not do, with a job that does nothing."""
        return PRODUCT_WORKER if job == "ingest_hospital" else ("-m", "arq", "benchmarks.product.WorkerSettings")

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """For ingest, through the product's producer."""
        settings = load_settings(redis_url=redis_url)
        if job == "ingest_hospital":
            async with HospitalProducer.connect(settings) as producer:
                await producer.enqueue_many(INGEST_HOSPITAL, [IngestHospital.model_validate(p) for p in payloads])
            return
        async with open_arq_redis(settings, Codec()) as redis:
            await enqueue_named(redis, job, new_ids(len(payloads)))

    async def unfinished(self, redis: Any, jobs: int) -> int:  # noqa: ARG002 (others need it)
        """Count the queue: a job leaves it in the step that stores its result."""
        return int(await redis.zcard(DEFAULT_QUEUE))


SYSTEM = Ours()


async def enqueue_named(redis: ArqRedis, function: str, job_ids: Sequence[str], queue: str = DEFAULT_QUEUE) -> None:
    """Put calls without arguments on a queue, as fast as the scripts take them."""
    envelope = Codec().encode({"t": None, "f": function, "a": [], "k": {}, "et": timestamp_ms()})
    scripts = Scripts(redis)
    for start in range(0, len(job_ids), _PER_CALL):
        await scripts.enqueue(Enqueue(job_id, queue, envelope) for job_id in job_ids[start : start + _PER_CALL])


def new_ids(jobs: int) -> list[str]:
    """Return as many fresh job ids."""
    return [uuid.uuid4().hex for _ in range(jobs)]


async def nth_start(redis: ArqRedis, job_id: str, number: int) -> int:
    """Wait for the start number `number`, from 1, of a job that tells its starts, and return its time."""

    async def asked() -> bytes | None:
        began: bytes | None = await redis.lindex(STARTS + job_id, number - 1)
        return began

    return int(await until(asked, f"job {job_id} had no start number {number} for a minute"))
