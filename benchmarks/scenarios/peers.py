"""How a system's queue is filled and drained, the same for all."""

from collections.abc import Sequence

from benchmarks.bench import Bench, connect, drain
from benchmarks.harness import Measure
from benchmarks.jobs import Payload
from benchmarks.systems import system_named
from benchmarks.systems.base import JobName


def draining(bench: Bench, name: str, job: JobName, payloads: Sequence[Payload]) -> Measure:
    """Return a measurement of the jobs per second of one system, on servers that hold nothing else."""
    system = system_named(name)

    async def measure() -> float:
        await bench.clear()
        await system.enqueue(bench.redis_url, job, payloads)
        async with connect(bench.redis_url) as redis:
            worker = bench.process(*system.arguments(job))
            return await drain(worker, len(payloads), lambda: system.unfinished(redis, len(payloads)))

    return measure
