"""Jobs that do nothing, drained by the product with a part of it on and off."""

from benchmarks.bench import Bench, connect, drain, queue_length, settle
from benchmarks.harness import Measure
from benchmarks.systems.ours_system import enqueue_named, new_ids

ROUNDS = 2
"""Rounds for each round of other scenarios: a few per cent are to be told apart."""
_JOBS = 60_000


def draining(bench: Bench, settings_class: str, **environment: str) -> Measure:
    """Return what fills a queue and drains it with the worker of this settings class."""
    jobs = bench.size.jobs(_JOBS)

    async def measure() -> float:
        await bench.clear()
        async with connect(bench.redis_url) as redis:
            await enqueue_named(redis, "noop", new_ids(jobs))
            await settle(redis)
            worker = bench.process("-m", "arq", settings_class, **environment)
            return await drain(worker, jobs, lambda: queue_length(redis))

    return measure
