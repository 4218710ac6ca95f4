"""Fills and drains a system's queue, in the same way for all systems."""

from collections.abc import Sequence

from benchmarks.bench import Bench, connect, drain
from benchmarks.harness import Measure
from benchmarks.jobs import Payload
from benchmarks.systems import system_named
from benchmarks.systems.base import JobName


def draining(bench: Bench, name: str, job: JobName, payloads: Sequence[Payload]) -> Measure:
    """Return a measurement of one system's jobs per second, on servers without other data."""
    system = system_named(name)

    async def measure() -> float:
        await bench.clear()
        await system.enqueue(bench.redis_url, job, payloads)
        async with connect(bench.redis_url) as redis:
            worker = bench.process(*system.arguments(job))
            return await drain(worker, len(payloads), lambda: system.unfinished(redis, len(payloads)))

    return measure
