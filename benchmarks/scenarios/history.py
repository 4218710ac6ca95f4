"""What the history of ended jobs costs: jobs that do nothing, with and without it."""

from benchmarks.bench import Bench, connect, drain, queue_length, settle
from benchmarks.harness import OURS, Measure, Outcome, interleaved, ratio, results_of
from benchmarks.systems import system_named
from benchmarks.systems.ours_system import enqueue_named, new_ids

_JOBS = 60_000
_ROUNDS = 2
"""Rounds for each round of other scenarios: a few per cent are to be told apart."""


async def run(bench: Bench) -> Outcome:
    """Drain a queue with the history on, as by default, and off."""
    measures = {"on": _draining(bench, "30"), "off": _draining(bench, "0")}
    figures = await interleaved(_ROUNDS * bench.size.rounds, measures)
    return Outcome(
        results_of("history", "jobs/s", figures),
        {"history_on_vs_off": ratio(figures, "on", "off")},
    )


def _draining(bench: Bench, days: str) -> Measure:
    jobs = bench.size.jobs(_JOBS)

    async def measure() -> float:
        await bench.clear()
        async with connect(bench.redis_url) as redis:
            await enqueue_named(redis, "noop", new_ids(jobs))
            await settle(redis)
            worker = bench.process(*system_named(OURS).arguments("noop"), WORKER_HISTORY_DAYS=days)
            return await drain(worker, jobs, lambda: queue_length(redis))

    return measure
