"""Whether jobs that are leased to other workers slow down a worker."""

from benchmarks.bench import Bench, connect, drain, queue_length, settle
from benchmarks.harness import OURS, Measure, Outcome, interleaved, ratio, results_of
from benchmarks.systems import system_named
from benchmarks.systems.ours_system import enqueue_named, new_ids
from worker.contract import DEFAULT_QUEUE
from worker.queue.scripts import Scripts

_HELD = 50_000
_JOBS = 40_000
_PER_CLAIM = 500
_LEASE_MS = 3_600_000


async def run(bench: Bench) -> Outcome:
    """Drain a queue with 50,000 additional jobs that are leased to another worker, and one without them."""
    measures = {"0 elsewhere": _draining(bench, 0), f"{_HELD:,} elsewhere": _draining(bench, _HELD)}
    figures = await interleaved(bench.size.rounds, measures)
    return Outcome(
        results_of("inflight", "jobs/s", figures),
        {"inflight_50k_vs_0": ratio(figures, f"{_HELD:,} elsewhere", "0 elsewhere")},
    )


def _draining(bench: Bench, held: int) -> Measure:
    jobs = bench.size.jobs(_JOBS)

    async def measure() -> float:
        await bench.clear()
        async with connect(bench.redis_url) as redis:
            await enqueue_named(redis, "noop", new_ids(held))
            scripts = Scripts(redis)
            for _ in range(0, held, _PER_CLAIM):
                await scripts.claim("another-worker", _LEASE_MS, _PER_CLAIM, [(DEFAULT_QUEUE, _PER_CLAIM)])
            await enqueue_named(redis, "noop", new_ids(jobs))
            await settle(redis)
            worker = bench.process(*system_named(OURS).arguments("noop"))
            return await drain(worker, jobs, lambda: queue_length(redis))

    return measure
