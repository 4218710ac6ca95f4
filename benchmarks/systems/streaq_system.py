"""streaQ 5, because later versions need functions of Redis 7, and the benchmarks also run on Redis 6.2."""

from collections.abc import Sequence
from typing import Any

from streaq import Worker

from benchmarks.bench import CONCURRENCY
from benchmarks.jobs import IngestBody, Payload
from benchmarks.systems.base import JobName, System

_PER_CALL = 500


class Streaq(System):
    """streaQ's worker with its defaults (uvloop among them)."""

    name = "streaq"

    def work(self, redis_url: str, job: JobName) -> None:  # noqa: ARG002 (it always serves all functions)
        """Run streaQ's worker."""
        worker, _ = _worker(redis_url)
        worker.run_sync()

    async def enqueue(self, redis_url: str, job: JobName, payloads: Sequence[Payload]) -> None:
        """Enqueue with streaQ's own pipelined call."""
        worker, tasks = _worker(redis_url)
        async with worker:
            for start in range(0, len(payloads), _PER_CALL):
                group = payloads[start : start + _PER_CALL]
                await worker.enqueue_many(
                    [tasks[job].enqueue(*((payload,) if job == "ingest_hospital" else ())) for payload in group]
                )

    async def unfinished(self, redis: Any, jobs: int) -> int:  # noqa: ARG002 (other systems need it)
        """Count the stream: a job is deleted from it in the transaction that stores its result."""
        return int(await redis.xlen("streaq:default:queues:normal"))


SYSTEM = Streaq()


def _worker(redis_url: str) -> tuple[Any, dict[JobName, Any]]:
    # streaQ's own cron job, every five minutes by default, takes its lock with a SET that Redis 6.2 refuses, and
    # then the worker exits. So the cron job is scheduled for a minute in which no benchmark runs.
    worker = Worker(redis_url=redis_url, concurrency=CONCURRENCY, health_crontab="0 0 29 2 *")
    body = IngestBody()

    async def noop() -> None:
        return None

    async def ingest(payload: Payload) -> Payload:
        return await body(payload)

    return worker, {"noop": worker.task()(noop), "ingest_hospital": worker.task()(ingest)}
