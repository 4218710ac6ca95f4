"""Whether a long queue slows down the worker."""

from benchmarks.bench import QUICK, Bench, connect, drain, queue_length, settle
from benchmarks.harness import OURS, Measure, Outcome, Result, interleaved, ratio
from benchmarks.systems import system_named
from benchmarks.systems.ours_system import enqueue_named, new_ids
from worker.embedded import EmbeddedRedis

_SHORT, _LONG, _LONG_QUICK = 10_000, 1_000_000, 100_000
_JOBS = 8_000


async def run(bench: Bench) -> Outcome:
    """Run jobs from the head of a short queue and of a long one, each on its own Redis."""
    long = _LONG_QUICK if bench.size is QUICK else _LONG
    async with EmbeddedRedis() as short_redis, EmbeddedRedis() as long_redis:
        sides = {"short": (short_redis.url, _SHORT), "long": (long_redis.url, long)}
        figures = await interleaved(
            bench.size.rounds, {side: _draining(bench, url, waiting) for side, (url, waiting) in sides.items()}
        )
    results = tuple(
        Result.of("backlog", f"{sides[side][1]:,} waiting", "jobs/s", rounds) for side, rounds in figures.items()
    )
    return Outcome(results, {"backlog_1m_vs_10k": ratio(figures, "long", "short")})


def _draining(bench: Bench, redis_url: str, waiting: int) -> Measure:
    async def measure() -> float:
        async with connect(redis_url) as redis:
            await enqueue_named(redis, "noop", new_ids(waiting - await queue_length(redis)))
            await settle(redis)
            worker = bench.process(*system_named(OURS).arguments("noop"), REDIS_URL=redis_url)
            return await drain(worker, _JOBS, lambda: queue_length(redis))

    return measure
