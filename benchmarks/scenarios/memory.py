"""How much of Redis's memory a waiting job takes."""

from benchmarks.bench import Bench, connect
from benchmarks.harness import OURS, Outcome, interleaved, ratio, results_of
from benchmarks.jobs import hospital
from benchmarks.systems import system_named

_JOBS = 1_000


async def run(bench: Bench) -> Outcome:
    """Add up the memory of all keys for a queue of ingests, this project's and arq's, and divide by the jobs."""
    payloads = [{"record": hospital(number, 0)} for number in range(_JOBS)]

    async def bytes_per_job(name: str) -> float:
        await bench.clear()
        await system_named(name).enqueue(bench.redis_url, "ingest_hospital", payloads)
        total = 0
        async with connect(bench.redis_url) as redis:
            async for key in redis.scan_iter(count=_JOBS):
                total += await redis.memory_usage(key, samples=0)
        return total / _JOBS

    figures = await interleaved(1, {OURS: lambda: bytes_per_job(OURS), "arq": lambda: bytes_per_job("arq")})
    return Outcome(
        results_of("queued job", "bytes", figures), {"bytes_per_queued_job": ratio(figures, OURS, "arq")}
    )
